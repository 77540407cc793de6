"""The real API server of a benchmark: started by test/cluster/cluster.sh, spoken to as the admin."""
import concurrent.futures
import http.client
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPTS = os.path.join(TOP, "test", "cluster")
NAMESPACE = "flux-system"
# Connections that create and annotate objects at once: more than one core of the server can take.
WRITERS = 8
WATCH_SECONDS = 300


def run(*command, **options):
    """What a program prints; raises with its standard error when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: status {done.returncode}\n{done.stderr}")
    return done.stdout


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        run(f"{SCRIPTS}/cluster.sh", "start", folder, "--audit", "--owner", str(os.getpid()))
        env = run("bash", "-c", '. "$1/env" && printf "%s\n" "$KUBE_BIN" "$API_URL" "$API_CA" "$ADMIN_TOKEN"', "-", folder)
        self.bin, self.url, self.ca, self.token = env.split()
        self.tls = ssl.create_default_context(cafile=self.ca)
        self.local = threading.local()

    def stop(self):
        subprocess.run([f"{SCRIPTS}/cluster.sh", "stop", self.folder], check=False)

    def pid(self, program):
        with open(f"{self.folder}/run/{program}.pid") as f:
            return int(f.read().split()[0])

    def kubectl(self, *args, **options):
        env = dict(os.environ, KUBECONFIG=f"{self.folder}/admin.kubeconfig", HOME=self.folder)
        return run(f"{self.bin}/kubectl", *args, env=env, **options)

    def kubeconfig(self, service_account):
        return run(f"{SCRIPTS}/cluster.sh", "kubeconfig", self.folder, NAMESPACE, service_account).strip()

    def connect(self, timeout=60):
        return http.client.HTTPSConnection(urllib.parse.urlsplit(self.url).netloc, context=self.tls, timeout=timeout)

    def headers(self, kind="application/json"):
        return {"Authorization": "Bearer " + self.token, "Content-Type": kind, "Accept": "application/json"}

    def api(self, method, path, body=None, kind="application/json"):
        """One request on this thread's connection; the answer's object."""
        answer, text = self.exchange(method, path, None if body is None else json.dumps(body), self.headers(kind))
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status}: {text[:500]!r}")
        return json.loads(text)

    def exchange(self, *request):
        """The server closes a connection that was idle while a case ran: then the request goes out on a new one."""
        for last in (False, True):
            if not hasattr(self.local, "connection"):
                self.local.connection = self.connect()
            try:
                self.local.connection.request(*request)
                answer = self.local.connection.getresponse()
                return answer, answer.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                del self.local.connection
                if last:
                    raise

    def each(self, requests):
        """Sends (method, path, body, content type) tuples over a few connections at once."""
        with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
            for _ in pool.map(lambda r: self.api(*r), requests):
                pass

    def wait(self, path, predicate, seconds, gone=False):
        """Seconds until predicate holds for all objects of a collection (gone: until there are none);
        None after too long. One list, then a watch: waiting costs the server next to nothing."""
        start = time.monotonic()
        join = "&" if "?" in path else "?"
        left = lambda: seconds - (time.monotonic() - start)
        while left() > 0:
            first = self.api("GET", path)
            todo = {o["metadata"]["name"] for o in first["items"] if gone or not predicate(o)}
            version = first["metadata"]["resourceVersion"]
            if todo and not self.follow(f"{path}{join}watch=1&resourceVersion={version}", predicate, todo, left, gone):
                continue
            return round(time.monotonic() - start, 3)
        return None

    def follow(self, path, predicate, todo, left, gone):
        """Reads one watch until todo is empty; False when it ended before that."""
        connection = self.connect(timeout=left() + 1)
        try:
            connection.request("GET", f"{path}&timeoutSeconds={int(min(left(), WATCH_SECONDS)) + 1}", headers=self.headers())
            for line in connection.getresponse():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return False
                name = event["object"]["metadata"].get("name")
                if event["type"] == "DELETED" or (not gone and predicate(event["object"])):
                    todo.discard(name)
                else:
                    todo.add(name)
                if not todo:
                    return True
        except TimeoutError:
            pass
        finally:
            connection.close()
        return False

    def requests(self):
        """Requests so far: {(service account, verb, resource): count}."""
        counts = {}
        for line in run(f"{SCRIPTS}/cluster.sh", "requests", self.folder).splitlines():
            count, user, verb, resource = line.split("\t")
            counts[user.rsplit(":", 1)[-1], verb, resource] = int(count)
        return counts
