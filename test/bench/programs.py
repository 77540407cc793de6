"""Programs that are measured (the controllers) or needed (the Git server), as processes of their own."""
import ctypes
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request

from cluster import NAMESPACE, SCRIPTS, run

SOURCE_WORKERS, KUSTOMIZE_WORKERS = 10, 20
READY_SECONDS = 30
# The kernel keeps no high-water mark of private memory, so it is looked at this often.
SAMPLE_SECONDS = 0.1
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(key + r":\s+(\d+)", f.read()).group(1)) / 1024


PR_SET_PDEATHSIG = 1


def end_with_parent(with_signal):
    return lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, with_signal)


class Program:
    def __init__(self, name, folder, command, env=None, parent_ended=signal.SIGKILL):
        self.name, self.log = name, f"{folder}/{name}.log"
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            preexec_fn=end_with_parent(parent_ended), env=dict(os.environ, **(env or {})))
        self.pid = self.process.pid
        self.peak = 0.0

    def sample(self):
        try:
            self.peak = max(self.peak, memory_mb(self.pid, "RssAnon"))
        except (OSError, AttributeError):
            pass

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Controllers:
    """source-controller and kustomize-controller of one implementation, started one after the other."""

    def __init__(self, cluster, folder):
        self.started, self.ready = {}, {}
        self.cluster, self.folder = cluster, folder
        self.host = f"127.0.0.1:{free_port()}"
        self.stopped = threading.Event()

    def start_all(self, programs):
        storage = f"{self.folder}/storage"
        os.makedirs(storage, exist_ok=True)
        self.start("source", programs["source"], [f"--storage-path={storage}", f"--storage-addr={self.host}",
                                                 f"--storage-adv-addr={self.host}", f"--concurrent={SOURCE_WORKERS}"])
        self.start("kustomize", programs["kustomize"], [f"--concurrent={KUSTOMIZE_WORKERS}"])
        threading.Thread(target=self.watch_memory, daemon=True).start()

    def start(self, name, program, flags):
        temporary = f"{self.folder}/tmp-{name}"
        os.makedirs(temporary, exist_ok=True)
        health = free_port()
        env = {"KUBECONFIG": self.cluster.kubeconfig(f"{name}-controller"), "RUNTIME_NAMESPACE": NAMESPACE,
               "TMPDIR": temporary, "HOME": temporary, "SOURCE_CONTROLLER_LOCALHOST": self.host}
        command = [program, f"--health-addr=127.0.0.1:{health}", f"--metrics-addr=127.0.0.1:{free_port()}", "--events-addr=",
                   "--enable-leader-election=false", "--log-level=info", *flags]
        start = time.monotonic()
        self.started[name] = Program(name, self.folder, command, env)
        self.wait_ready(self.started[name], health, start)
        self.ready[name] = round(time.monotonic() - start, 3)

    def wait_ready(self, program, port, start):
        while time.monotonic() - start < READY_SECONDS:
            if program.process.poll() is not None:
                break
            try:
                if urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.001)
        with open(program.log) as log:
            raise SystemExit(f"{program.name}-controller is not ready:\n{log.read()[-3000:]}")

    def watch_memory(self):
        while not self.stopped.wait(SAMPLE_SECONDS):
            for program in self.started.values():
                program.sample()

    def reset_peaks(self):
        for program in self.started.values():
            program.peak = 0.0
            program.sample()

    def memory(self):
        for program in self.started.values():
            program.sample()
        return {name: {"private": round(memory_mb(p.pid, "RssAnon"), 1), "resident": round(memory_mb(p.pid, "VmRSS"), 1),
                       "private_peak": round(p.peak, 1)} for name, p in self.started.items()}

    def stop(self):
        self.stopped.set()
        for program in self.started.values():
            program.stop()


APACHE = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache-error.log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so
LoadModule env_module /usr/lib/apache2/modules/mod_env.so
LoadModule setenvif_module /usr/lib/apache2/modules/mod_setenvif.so
ScriptSock {folder}/cgid.sock
SetEnv GIT_PROJECT_ROOT {folder}/git
SetEnv GIT_HTTP_EXPORT_ALL 1
SetEnvIf Git-Protocol ".*" GIT_PROTOCOL=$0
ScriptAlias /git/ /usr/lib/git-core/git-http-backend/
<Directory "/usr/lib/git-core">
 Options +ExecCGI
 Require all granted
</Directory>
"""


class GitServer:
    """Git over HTTP, protocol versions 0 to 2: http-backend behind Apache."""

    def __init__(self, folder):
        port = free_port()
        os.makedirs(f"{folder}/git")
        with open(f"{folder}/apache.conf", "w") as f:
            f.write(APACHE.format(folder=folder, port=port))
        self.url, self.program = f"http://127.0.0.1:{port}/git", None
        self.folder, self.port = folder, port

    def start(self):
        folder, port = self.folder, self.port
        self.program = Program("apache", folder, ["/usr/sbin/apache2", "-DFOREGROUND", "-f", f"{folder}/apache.conf"],
                               parent_ended=signal.SIGTERM)
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.program.process.poll() is not None:
                    raise SystemExit(f"the Git server did not start, see {folder}/apache-error.log") from None
                time.sleep(0.01)

    def stop(self):
        if self.program:
            self.program.stop()


def tools(*names):
    """Folder of the programs to compare with, built when they were not; None when they cannot be."""
    done = subprocess.run([f"{SCRIPTS}/tools.sh", *names], stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def git(folder, *args):
    return run("git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", *args, cwd=folder)
