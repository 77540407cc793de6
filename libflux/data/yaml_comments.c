#include "data/yaml_comments.h"

struct scan {
	struct fx_arena *arena;
	const struct fx_yaml_place *places;
	size_t n;
	size_t next; /* first place that does not end before the current line */
	/* Lines of comments alone that wait for the node they belong to. */
	const char *pending;
	size_t pending_column, pending_last_line;
	bool failed;
};

static struct fx_comments *comments_of(struct scan *s, struct fx_node *n)
{
	if (!n->comments)
		n->comments = fx_arena_new_of(s->arena, struct fx_comments);
	s->failed |= !n->comments;
	return n->comments;
}

static bool is_before(size_t line, size_t column, size_t other_line, size_t other_column)
{
	return line < other_line || (line == other_line && column < other_column);
}

/* Whether the character stands inside a scalar. */
static bool in_scalar(const struct scan *s, size_t line, size_t column)
{
	for (size_t i = s->next; i < s->n; i++) {
		const struct fx_yaml_place *p = &s->places[i];
		if (p->node->kind != FX_NODE_SCALAR)
			continue;
		if (p->line > line)
			return false;
		if (!is_before(line, column, p->line, p->column) &&
		        is_before(line, column, p->end_line, p->end_column))
			return true;
	}
	return false;
}

/* The node that ends last in front of a comment on its line. */
static struct fx_node *node_in_front(const struct scan *s, size_t line, size_t column)
{
	struct fx_node *found = NULL;
	for (size_t i = s->next; i < s->n && s->places[i].line <= line; i++)
		if (s->places[i].end_line == line && s->places[i].end_column <= column)
			found = s->places[i].node;
	return found;
}

static const struct fx_yaml_place *next_entry(const struct scan *s, size_t line)
{
	for (size_t i = s->next; i < s->n; i++)
		if (s->places[i].entry && s->places[i].line > line)
			return &s->places[i];
	return NULL;
}

/* The last entry before a line that stands in this column, or the last one at all. */
static const struct fx_yaml_place *last_entry(const struct scan *s, size_t line, size_t column)
{
	const struct fx_yaml_place *any = NULL, *same = NULL;
	for (size_t i = 0; i < s->n && s->places[i].line < line; i++) {
		if (!s->places[i].entry)
			continue;
		any = &s->places[i];
		if (s->places[i].column == column)
			same = any;
	}
	return same ? same : any;
}

static void add_text(struct scan *s, const char **to, const char *text)
{
	*to = *to ? fx_arena_printf(s->arena, "%s\n%s", *to, text) : text;
	s->failed |= !*to;
}

static void flush(struct scan *s, bool blank_follows)
{
	if (!s->pending)
		return;
	const struct fx_yaml_place *next = next_entry(s, s->pending_last_line);
	const struct fx_yaml_place *last = last_entry(s, s->pending_last_line, s->pending_column);
	if (next && (!blank_follows || !last)) {
		const char *text = s->pending;
		/* A block apart at the very start belongs to the document: the blank line stays. */
		if (blank_follows)
			text = fx_arena_printf(s->arena, "%s\n\n", text);
		s->failed |= !text;
		add_text(s, &comments_of(s, next->node)->head, text);
	} else if (last) {
		add_text(s, &comments_of(s, last->node)->foot, s->pending);
	}
	s->pending = NULL;
}

static void see_comment(struct scan *s, const char *text, size_t line, size_t column, bool alone)
{
	if (!alone) {
		struct fx_node *n = node_in_front(s, line, column);
		if (n)
			comments_of(s, n)->line = text;
		return;
	}
	add_text(s, &s->pending, text);
	s->pending_column = column;
	s->pending_last_line = line;
}

/* Looks for a `#` that starts a comment. */
static void scan_line(struct scan *s, const char *text, size_t len, size_t line)
{
	size_t column = 0;
	bool blank = true;
	size_t lead = 0;
	while (lead < len && (text[lead] == ' ' || text[lead] == '\t'))
		lead++;
	if (lead == len || text[lead] != '#')
		flush(s, lead == len);
	while (s->next < s->n && s->places[s->next].end_line < line)
		s->next++;
	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)text[i] & 0xc0) == 0x80)
			continue;
		bool starts = text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t');
		if (starts && !in_scalar(s, line, column)) {
			char *copy = fx_arena_strndup(s->arena, text + i, len - i);
			s->failed |= !copy;
			if (!s->failed)
				see_comment(s, copy, line, column, blank);
			return;
		}
		blank &= text[i] == ' ' || text[i] == '\t';
		column++;
	}
}

bool fx_yaml_attach_comments(
        struct fx_arena *arena, const char *text, size_t len, const struct fx_yaml_place *places, size_t n)
{
	struct scan s = {.arena = arena, .places = places, .n = n};
	const char *end = text + len;
	for (size_t line = 0; text < end && !s.failed; line++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		if (!stop)
			stop = end;
		scan_line(&s, text, (size_t)(stop - text), line);
		text = stop + (stop < end);
	}
	if (!s.failed)
		flush(&s, true);
	return !s.failed;
}
