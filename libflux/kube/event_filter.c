#include "kube/event_filter.h"

#include "core/buf.h"
#include "core/map.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000LL

/* What one key remembers; each memory uses its own members. */
struct entry {
	struct entry *newer, *older;
	char *key;
	/* counted events */
	int count;
	int64_t first_ns;
	char name[256];
	/* similar events: hashes of their messages */
	uint64_t messages[FX_EVENT_SIMILAR_MAX];
	int message_count;
	int64_t last_ns;
	/* spam bucket */
	double tokens;
	int64_t filled_ns;
};

/* Least recently used out. */
struct memory {
	struct fx_map map;
	struct entry *newest, *oldest;
};

struct fx_event_filter {
	struct memory counted, similar, spam;
};

static void unlink_entry(struct memory *memory, struct entry *entry)
{
	*(entry->newer ? &entry->newer->older : &memory->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &memory->oldest) = entry->newer;
	entry->newer = entry->older = NULL;
}

static void link_newest(struct memory *memory, struct entry *entry)
{
	entry->older = memory->newest;
	if (memory->newest)
		memory->newest->newer = entry;
	memory->newest = entry;
	if (!memory->oldest)
		memory->oldest = entry;
}

static void entry_free(struct entry *entry)
{
	free(entry->key);
	free(entry);
}

static void memory_release(struct memory *memory)
{
	for (struct entry *entry = memory->newest; entry;) {
		struct entry *older = entry->older;
		entry_free(entry);
		entry = older;
	}
	fx_map_release(&memory->map);
}

/* The entry of a key, made when there is none (*is_new); NULL without memory. */
static struct entry *remember(struct memory *memory, const char *key, bool *is_new)
{
	struct entry *entry = fx_map_get(&memory->map, key);
	*is_new = !entry;
	if (entry) {
		unlink_entry(memory, entry);
		link_newest(memory, entry);
		return entry;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->key = strdup(key);
	if (!entry->key || !fx_map_set(&memory->map, key, entry)) {
		entry_free(entry);
		return NULL;
	}
	link_newest(memory, entry);
	if (memory->map.len > FX_EVENT_FILTER_MAX) {
		struct entry *oldest = memory->oldest;
		unlink_entry(memory, oldest);
		fx_map_del(&memory->map, oldest->key);
		entry_free(oldest);
	}
	return entry;
}

struct fx_event_filter *fx_event_filter_new(void)
{
	return calloc(1, sizeof(struct fx_event_filter));
}

void fx_event_filter_free(struct fx_event_filter *filter)
{
	if (!filter)
		return;
	memory_release(&filter->counted);
	memory_release(&filter->similar);
	memory_release(&filter->spam);
	free(filter);
}

/* Counts different messages of one reason; true when this one is to be combined. */
static bool is_combined(struct fx_event_filter *filter, const char *key, const char *message, int64_t now_ns)
{
	bool is_new;
	struct entry *entry = remember(&filter->similar, key, &is_new);
	uint64_t hash = fx_hash(message, strlen(message));
	if (!entry)
		return false;
	if (now_ns - entry->last_ns > FX_EVENT_SIMILAR_S * NS_PER_S)
		entry->message_count = 0;
	entry->last_ns = now_ns;
	bool known = false;
	for (int i = 0; i < entry->message_count; i++)
		known = known || entry->messages[i] == hash;
	if (!known)
		entry->messages[entry->message_count++] = hash;
	if (entry->message_count < FX_EVENT_SIMILAR_MAX)
		return false;
	/* One of them makes room, so that the next different message is combined too. */
	entry->message_count--;
	return true;
}

static bool is_spam(struct fx_event_filter *filter, const char *key, int64_t now_ns)
{
	bool is_new;
	struct entry *entry = remember(&filter->spam, key, &is_new);
	if (!entry)
		return false;
	if (is_new)
		entry->tokens = FX_EVENT_SPAM_BURST;
	else
		entry->tokens +=
		        (double)(now_ns - entry->filled_ns) / (double)(FX_EVENT_SPAM_REFILL_S * NS_PER_S);
	if (entry->tokens > FX_EVENT_SPAM_BURST)
		entry->tokens = FX_EVENT_SPAM_BURST;
	entry->filled_ns = now_ns;
	if (entry->tokens < 1)
		return true;
	entry->tokens -= 1;
	return false;
}

/* Parts joined by a byte that is in none of them. */
static char *join_key(const char *a, const char *b, const char *c, const char *d)
{
	struct fx_buf key = FX_BUF_INIT;
	fx_buf_addf(&key, "%s\x1f%s\x1f%s\x1f%s", a, b, c, d);
	char *text = fx_buf_take(&key, NULL);
	fx_buf_release(&key);
	return text;
}

void fx_event_filter_check(struct fx_event_filter *filter, const char *object, const char *type,
        const char *reason, const char *message, const char *name, int64_t now_ns,
        struct fx_event_decision *out)
{
	fx_autofree char *group = join_key(object, type, reason, "");
	fx_autofree char *exact = join_key(object, type, reason, message);
	fx_autofree char *source = join_key(object, type, "", "");
	struct entry *entry = NULL;
	bool is_new = true;

	*out = (struct fx_event_decision){.verdict = FX_EVENT_CREATE, .count = 1, .first_ns = now_ns};
	snprintf(out->name, sizeof(out->name), "%s", name);
	if (!group || !exact || !source)
		return;
	out->combined = is_combined(filter, group, message, now_ns);
	entry = remember(&filter->counted, out->combined ? group : exact, &is_new);
	if (entry && !is_new) {
		out->verdict = FX_EVENT_COUNT;
		out->count = ++entry->count;
		out->first_ns = entry->first_ns;
		snprintf(out->name, sizeof(out->name), "%s", entry->name);
	} else if (entry) {
		entry->count = 1;
		entry->first_ns = now_ns;
		snprintf(entry->name, sizeof(entry->name), "%s", name);
	}
	if (is_spam(filter, source, now_ns))
		out->verdict = FX_EVENT_DROP;
}
