#include "kube/client_internal.h"

#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Content without the white space at its end; NULL when it cannot be read or is not what it should be. */
static char *read_text(const struct fx_kube_file *file)
{
	fx_auto(fd) int fd = open(file->path, O_RDONLY | O_CLOEXEC);
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT_MAX(FX_KUBE_FILE_MAX);
	char piece[4096];
	ssize_t n;
	if (fd < 0)
		return NULL;
	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno != EINTR)
			return NULL;
		if (n > 0)
			fx_buf_add(&text, piece, (size_t)n);
	}
	explicit_bzero(piece, sizeof(piece));
	while (text.len > 0 && strchr("\r\n\t ", text.data[text.len - 1]))
		fx_buf_truncate(&text, text.len - 1);
	if (text.len == 0 || fx_buf_failed(&text))
		return NULL;
	return file->check && file->check(fx_buf_str(&text), NULL) < 0 ? NULL : fx_buf_take(&text, NULL);
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void fx_kube_file_release(struct fx_kube_file *file)
{
	wipe(file->text);
	file->text = NULL;
}

static void replace(struct fx_kube_file *file, char *text)
{
	wipe(file->text);
	file->text = text;
	file->read_ms = fx_now_ms();
}

char *fx_kube_file_text(struct fx_kube_shared *shared, struct fx_kube_file *file)
{
	pthread_mutex_lock(&shared->lock);
	if (!file->text || fx_now_ms() - file->read_ms >= FX_KUBE_FILE_AGE_MS) {
		char *fresh = read_text(file);
		if (fresh)
			replace(file, fresh);
	}
	char *text = file->text ? strdup(file->text) : NULL;
	pthread_mutex_unlock(&shared->lock);
	return text;
}

bool fx_kube_file_renew(struct fx_kube_shared *shared, struct fx_kube_file *file, const char *refused)
{
	char *fresh = file->path ? read_text(file) : NULL;
	pthread_mutex_lock(&shared->lock);
	const char *old = refused ? refused : file->text;
	bool renewed = fresh && old && strcmp(fresh, old) != 0;
	if (renewed)
		replace(file, fresh);
	pthread_mutex_unlock(&shared->lock);
	if (!renewed)
		wipe(fresh);
	return renewed;
}
