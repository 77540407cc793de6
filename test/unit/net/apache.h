/*
 * A real web server for the tests of net/: Apache on free ports of 127.0.0.1, with a
 * certificate authority made by openssl, everything in one temporary directory.
 *
 *   /echo     CGI: method, the authorization it got, and the body
 *   /auth/    user "user", password "p:w%d"
 *   /r/N      redirects to /r/N-1, /r/0 is a file; /loop redirects to itself
 *   /away     redirects to the other port (another host for credentials)
 */
#ifndef FX_TEST_APACHE_H
#define FX_TEST_APACHE_H

#include "net_test.h"

#include "core/buf.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct apache {
	char dir[64];
	int http, https, mtls, proxy; /* ports */
	char *ca, *other_ca, *client_cert, *client_key;
};

/* As in a certificate: names of the server. */
#define APACHE_NAMES "DNS:localhost,DNS:other.test,IP:127.0.0.1"

static inline void apache_shell(const struct apache *apache, const char *script)
{
	fx_auto(buf) struct fx_buf cmd = FX_BUF_INIT;
	fx_buf_addf(&cmd, "cd %s && { %s; } >>setup.log 2>&1", apache->dir, script);
	if (system(fx_buf_str(&cmd)) != 0) {
		fprintf(stderr, "failed in %s: %s\n", apache->dir, script);
		exit(1);
	}
}

static inline void apache_write(const struct apache *apache, const char *name, const void *data, size_t len)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", apache->dir, name);
	FILE *f = fopen(path, "w");
	if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0)
		exit(1);
}

static inline char *apache_read(const struct apache *apache, const char *name)
{
	char path[128], *text = calloc(1, 65536);
	snprintf(path, sizeof(path), "%s/%s", apache->dir, name);
	FILE *f = fopen(path, "r");
	if (!f || fread(text, 1, 65535, f) == 0)
		exit(1);
	fclose(f);
	return text;
}

static inline int apache_free_port(void)
{
	int port;
	close(raw_listen(&port));
	return port;
}

static inline void apache_make_keys(const struct apache *apache)
{
	apache_shell(apache,
	        "ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key "
	        "-out $1.pem -days 2 -subj /CN=$1; }; "
	        "leaf() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key "
	        "-out $1.csr -subj /CN=$1 && printf \"subjectAltName=%s\\n\" \"$2\" >$1.ext && "
	        "openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
	        "-extfile $1.ext -out $1.pem; }; "
	        "ca ca && ca other && leaf server " APACHE_NAMES
	        " && leaf client DNS:client && chmod a+r *.key");
}

static inline void apache_make_config(const struct apache *apache)
{
	static const char *const modules[] = {"mpm_event", "authz_core", "authz_user", "authn_core",
	        "authn_file", "auth_basic", "ssl", "http2", "alias", "headers", "deflate", "filter", "env",
	        "cgid", "setenvif", "proxy", "proxy_http", "proxy_connect", "socache_shmcb", "rewrite"};
	fx_auto(buf) struct fx_buf c = FX_BUF_INIT;
	for (size_t i = 0; i < FX_COUNT(modules); i++)
		fx_buf_addf(&c, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", modules[i],
		        modules[i]);
	fx_buf_addf(&c,
	        "ServerRoot %s\nDefaultRuntimeDir %s\nPidFile pid\nScriptSock cgisock\nUser www-data\n"
	        "Group www-data\nServerName localhost\nErrorLog error.log\nDocumentRoot %s/www\n"
	        "Listen 127.0.0.1:%d\nListen 127.0.0.1:%d\nListen 127.0.0.1:%d\nListen 127.0.0.1:%d\n"
	        "StartServers 1\nServerLimit 4\nThreadsPerChild 32\nMaxRequestWorkers 128\n"
	        "MinSpareThreads 1\nMaxSpareThreads 128\n"
	        "Protocols h2 http/1.1\nH2MaxSessionStreams 250\nMaxKeepAliveRequests 0\n"
	        "SSLSessionCache none\nSetEnvIf Authorization \"(.*)\" AUTH=$1\n",
	        apache->dir, apache->dir, apache->dir, apache->http, apache->https, apache->mtls,
	        apache->proxy);
	fx_buf_addf(&c,
	        "ScriptAlias /echo %s/echo.cgi\nRedirect 302 /away http://localhost:%d/echo\n"
	        "Redirect 302 /tls https://localhost:%d/hello\nRedirect 303 /see-other /echo\n"
	        "Redirect 302 /ftp ftp://localhost/x\nRedirect 302 /loop /loop\n"
	        "RedirectMatch 302 ^/r/3$ /r/2\nRedirectMatch 302 ^/r/2$ /r/1\n"
	        "RedirectMatch 302 ^/r/1$ /hello\n"
	        "<Location /gz>\nSetOutputFilter DEFLATE\n</Location>\n"
	        "<Location /later>\nHeader always set Retry-After 7\nRewriteEngine on\nRewriteRule .* - "
	        "[R=503]\n"
	        "</Location>\n"
	        "<Location /auth>\nAuthType Basic\nAuthName test\nAuthUserFile %s/passwd\n"
	        "Require valid-user\n</Location>\n",
	        apache->dir, apache->proxy, apache->https, apache->dir);
	const char *tls = "SSLEngine on\nSSLCertificateFile server.pem\nSSLCertificateKeyFile server.key\n";
	fx_buf_addf(&c, "<VirtualHost *:%d>\n%s</VirtualHost>\n", apache->https, tls);
	fx_buf_addf(&c,
	        "<VirtualHost *:%d>\n%sSSLVerifyClient require\nSSLCACertificateFile "
	        "ca.pem\n</VirtualHost>\n",
	        apache->mtls, tls);
	fx_buf_addf(&c,
	        "<VirtualHost *:%d>\nProxyRequests On\nAllowConnect %d %d\n"
	        "<Proxy *>\nAuthType Basic\nAuthName proxy\nAuthUserFile %s/passwd\nRequire "
	        "valid-user\n</Proxy>\n"
	        "</VirtualHost>\n",
	        apache->proxy, apache->https, apache->mtls, apache->dir);
	apache_write(apache, "conf", c.data, c.len);
}

static inline void apache_make_files(const struct apache *apache)
{
	/* Reads first: Apache gives a script the whole body before it takes the answer. */
	static const char cgi[] = "#!/bin/sh\nbody=$(mktemp)\ncat >$body\n"
	                          "printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
	                          "printf '%s proto=%s port=%s auth=%s type=%s host=%s ' \"$REQUEST_METHOD\" "
	                          "\"$SERVER_PROTOCOL\" \"$REMOTE_PORT\" \"$AUTH\" \"$CONTENT_TYPE\" "
	                          "\"$HTTP_HOST\"\ncat $body\nrm $body\n";
	apache_write(apache, "echo.cgi", cgi, sizeof(cgi) - 1);
	apache_shell(apache,
	        "mkdir www www/auth www/gz && printf hello >www/hello && printf in >www/auth/file && "
	        "head -c 3000000 /dev/urandom >www/random && head -c 3000000 /dev/zero >www/gz/zero && "
	        "printf 'p:w%%d' | openssl passwd -apr1 -stdin | "
	        "sed 's/^/user:/' >passwd && chmod 755 . echo.cgi && chmod a+r passwd");
}

/* Starts it and returns when it serves. */
static inline void apache_start(struct apache *apache)
{
	strcpy(apache->dir, "/tmp/flux-apache-XXXXXX");
	if (!mkdtemp(apache->dir))
		exit(1);
	apache->http = apache_free_port();
	apache->https = apache_free_port();
	apache->mtls = apache_free_port();
	apache->proxy = apache_free_port();
	apache_make_keys(apache);
	apache_make_config(apache);
	apache_make_files(apache);
	apache->ca = apache_read(apache, "ca.pem");
	apache->other_ca = apache_read(apache, "other.pem");
	apache->client_cert = apache_read(apache, "client.pem");
	apache->client_key = apache_read(apache, "client.key");
	/* The parent returns when it listens. */
	fx_auto(buf) struct fx_buf cmd = FX_BUF_INIT;
	fx_buf_addf(&cmd, "apache2 -d %s -f conf -k start", apache->dir);
	apache_shell(apache, fx_buf_str(&cmd));
}

static inline void apache_stop(struct apache *apache)
{
	fx_auto(buf) struct fx_buf cmd = FX_BUF_INIT;
	fx_buf_addf(&cmd, "apache2 -d %s -f conf -k stop", apache->dir);
	apache_shell(apache, fx_buf_str(&cmd));
	fx_buf_clear(&cmd);
	fx_buf_addf(&cmd, "rm -rf %s", apache->dir);
	apache_shell(apache, fx_buf_str(&cmd));
	free(apache->ca);
	free(apache->other_ca);
	free(apache->client_cert);
	free(apache->client_key);
}

#endif
