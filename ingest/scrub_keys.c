/* scrub_keys.c - see scrub_keys.h.
 *
 * Every tag of every sample may come here, so that a clean key must cost next to nothing: a key in which no rule's first four letters stand in a row is not
 * read any further. Of what is left few words end in a rule's last byte, by which rules are sorted.
 *
 * Invariant: rules and exceptions are kept as keys are once they are read: lower case, nothing but letters and digits. */
#include "ingest/scrub_keys.h"

#include <stdlib.h>

enum rule_kind {
	WORDS, /* a run of whole words */
	TAIL,  /* likewise, or the end of a word: accesstoken */
	WHOLE, /* all of the key, since it says too little beside others */
};

struct rule {
	struct str text;
	enum rule_kind kind;
};

enum { GRAM_BITS = 15, GRAM_WORDS = 1 << (GRAM_BITS - 5), ANY_LETTER = 32 };

struct scrub_keys {
	uint32_t grams[GRAM_WORDS]; /* a bit for each hash of a rule's first four letters */
	uint8_t fold[256];          /* of a letter or digit 1 to 31, else 0 */
	struct rule *rules; /* by their last byte */
	uint32_t begin[257]; /* of the rules that end in this byte */
	struct str *except;
	size_t except_len;
	char *text; /* of what operators add */
};

static const struct {
	const char *text;
	enum rule_kind kind;
} built_in[] = {
	{"password", TAIL}, {"passwords", WORDS}, {"passwd", TAIL}, {"pwd", WORDS}, {"passphrase", TAIL}, {"passcode", WORDS}, {"pass", WHOLE},
	{"dbpass", WORDS}, {"userpass", WORDS}, {"smtppass", WORDS}, {"mailpass", WORDS}, {"authpass", WORDS}, {"redispass", WORDS},
	{"secret", TAIL}, {"secrets", WORDS}, {"token", TAIL}, {"jwt", WORDS}, {"bearer", WORDS},
	{"apikey", TAIL}, {"apikeys", WORDS}, {"accesskey", TAIL}, {"accesskeyid", WORDS}, {"accountkey", WORDS}, {"privatekey", TAIL}, {"privkey", WORDS}, {"secretkey", TAIL},
	{"encryptionkey", WORDS}, {"signingkey", WORDS}, {"sshkey", WORDS}, {"masterkey", WORDS}, {"sharedkey", WORDS}, {"authkey", WORDS},
	{"authorization", WORDS}, {"auth", WORDS}, {"credential", WORDS}, {"credentials", WORDS}, {"creds", WORDS}, {"connectionstring", WORDS},
	{"cookie", WORDS}, {"cookies", WORDS}, {"session", WORDS}, {"sessionid", TAIL}, {"sessid", TAIL}, {"sessionkey", WORDS}, {"connectsid", WORDS},
	{"csrf", WORDS}, {"xsrf", WORDS}, {"csrfmiddlewaretoken", WORDS}, {"signature", WORDS}, {"sig", WHOLE},
	{"cardnumber", WORDS}, {"cardno", WORDS}, {"creditcard", WORDS}, {"ccnumber", WORDS}, {"ccnum", WORDS}, {"cvv", WORDS}, {"cvc", WORDS}, {"csc", WHOLE},
	{"pan", WORDS}, {"ssn", WORDS}, {"socialsecurity", WORDS}, {"socialsecuritynumber", WORDS}, {"iban", WORDS}, {"pin", WORDS}, {"pincode", WORDS},
	{"otp", WORDS}, {"totp", WORDS},
};

/* What is behind a secret's name says about it, and is no secret. */
static const char *const harmless_tails[] = {
	"count", "counts", "total", "type", "kind", "length", "len", "size", "bytes", "expires", "expiry", "ttl", "age", "policy", "enabled", "required",
	"method", "mode", "provider", "scheme", "strategy", "status", "state", "valid", "ms", "seconds", "duration", "time", "user", "username", "users",
	"algorithm", "version", "limit", "rate", "errors", "failures", "attempts",
};

/* A key as words: their letters in one row, and where each begins. */
struct words {
	char text[SCRUB_KEY_MAX];
	bool begins[SCRUB_KEY_MAX + 1];
	size_t len, last; /* where the last word begins */
};

enum letter { GAP, LOWER, UPPER, DIGIT };

static inline enum letter letter_of(char c)
{
	if ((c >= 'a' && c <= 'z') || (uint8_t)c >= 0x80)
		return LOWER;
	if (c >= 'A' && c <= 'Z')
		return UPPER;
	return c >= '0' && c <= '9' ? DIGIT : GAP;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Does a word begin at key[i], behind a letter of the kind before? An upper one begins a word behind a lower one, and before one: apiKey, APIKey. */
static inline bool begins_word(struct str key, size_t i, enum letter before, enum letter now)
{
	if (before == now)
		return now == UPPER && i + 1 < key.len && letter_of(key.p[i + 1]) == LOWER;
	return !(before == UPPER && now == LOWER);
}

static void read_words(struct words *w, struct str key)
{
	enum letter before = GAP;

	w->len = w->last = 0;
	if (key.len > SCRUB_KEY_MAX)
		key = (struct str){key.p + key.len - SCRUB_KEY_MAX, SCRUB_KEY_MAX};
	for (size_t i = 0; i < key.len; i++) {
		char c = key.p[i];
		enum letter now = letter_of(c);

		if (now != GAP) {
			w->begins[w->len] = begins_word(key, i, before, now);
			if (w->begins[w->len])
				w->last = w->len;
			w->text[w->len++] = now == UPPER ? (char)(c | 0x20) : c;
		} else if (c == '%' && i + 2 < key.len && is_hex(key.p[i + 1]) && is_hex(key.p[i + 2])) {
			i += 2; /* of a query string: user%5Bpin%5D */
		}
		before = now;
	}
	w->begins[w->len] = true;
}

static inline uint32_t gram_hash(uint32_t gram)
{
	return gram * UINT32_C(0x9e3779b1) >> (32 - GRAM_BITS);
}

/* Four letters of five bits each; a key's end is a letter, too, for rules of three. */
static inline uint32_t gram_push(uint32_t gram, uint8_t letter)
{
	return (gram << 5 | letter) & 0xfffff;
}

static inline uint32_t gram_known(const struct scrub_keys *k, uint32_t gram)
{
	uint32_t hash = gram_hash(gram);

	return k->grams[hash / 32] >> (hash % 32);
}

/* Might a rule match? Escaped bytes are letters here, and none to read_words(). */
static inline bool may_match(const struct scrub_keys *k, struct str key)
{
	uint32_t gram = 0, known = 0;

	for (size_t i = 0; i < key.len; i++) {
		uint8_t letter = k->fold[(uint8_t)key.p[i]];

		known |= key.p[i] == '%';
		if (letter) {
			gram = gram_push(gram, letter);
			known |= gram_known(k, gram);
		}
	}
	return ((known | gram_known(k, gram_push(gram, 0))) & 1) != 0;
}

/* A rule's first letters, and whatever may follow where it has less than four. */
static void know_gram(struct scrub_keys *k, struct str rule, size_t i, uint32_t gram)
{
	uint32_t hash = gram_hash(gram);

	if (i == 4)
		k->grams[hash / 32] |= UINT32_C(1) << (hash % 32);
	else if (i < rule.len)
		know_gram(k, rule, i + 1, gram_push(gram, k->fold[(uint8_t)rule.p[i]]));
	else
		for (uint8_t any = 0; any < ANY_LETTER; any++)
			know_gram(k, rule, i + 1, gram_push(gram, any));
}

static void know_grams(struct scrub_keys *k, size_t rules_len)
{
	for (int c = 0; c < 256; c++)
		if (letter_of((char)c) != GAP)
			k->fold[c] = c % 32 ? (uint8_t)(c % 32) : 31;
	for (size_t i = 0; i < rules_len; i++)
		know_gram(k, k->rules[i].text, 0, 0);
}

static bool is_harmless(const struct words *w, size_t behind)
{
	struct str tail = {w->text + w->last, w->len - w->last};

	if (behind == w->len)
		return false;
	for (size_t i = 0; i < sizeof(harmless_tails) / sizeof(harmless_tails[0]); i++)
		if (str_eq(tail, str_from(harmless_tails[i])))
			return true;
	return false;
}

static bool is_except(const struct scrub_keys *k, const struct words *w)
{
	for (size_t i = 0; i < k->except_len; i++)
		if (str_eq(k->except[i], (struct str){w->text, w->len}))
			return true;
	return false;
}

/* Does a rule match the words that end here, from before this place on? */
static bool matches_until(const struct scrub_keys *k, const struct words *w, size_t end, size_t before)
{
	uint8_t last = (uint8_t)w->text[end - 1];

	for (uint32_t i = k->begin[last]; i < k->begin[last + 1]; i++) {
		const struct rule *r = &k->rules[i];
		size_t at = end - r->text.len;

		if (r->text.len > end || at >= before || memcmp(w->text + at, r->text.p, r->text.len) != 0)
			continue;
		if (r->kind == WHOLE ? at == 0 && end == w->len : r->kind == TAIL || w->begins[at])
			return true;
	}
	return false;
}

bool scrub_keys_match(const struct scrub_keys *k, struct str key, bool at_end)
{
	struct words w;

	if (!may_match(k, key))
		return false;
	read_words(&w, key);
	for (size_t end = at_end ? w.len : 1; end <= w.len && end; end++)
		if (w.begins[end] && k->begin[(uint8_t)w.text[end - 1]] != k->begin[(uint8_t)w.text[end - 1] + 1] && matches_until(k, &w, end, at_end ? w.last : w.len) &&
		    !is_harmless(&w, end))
			return !is_except(k, &w);
	return false;
}

bool scrub_keys_is_header(struct str key)
{
	static const char *const headers[] = {"authorization", "cookie"};
	struct words w;

	read_words(&w, key);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct str h = str_from(headers[i]);

		if (w.len >= h.len && str_eq((struct str){w.text + w.len - h.len, h.len}, h))
			return true;
	}
	return false;
}

static int compare_rules(const void *a, const void *b)
{
	const struct str x = ((const struct rule *)a)->text, y = ((const struct rule *)b)->text;
	uint8_t cx = (uint8_t)x.p[x.len - 1], cy = (uint8_t)y.p[y.len - 1];

	return cx < cy ? -1 : cx > cy ? 1 : str_cmp(x, y);
}

/* The next entry of a list, and what is behind it; false at its end. */
static bool next_entry(const char **list, struct str *entry)
{
	const char *p = *list + strspn(*list, ", \t");

	entry->p = p;
	entry->len = strcspn(p, ",");
	*list = p + entry->len;
	while (entry->len && (entry->p[entry->len - 1] == ' ' || entry->p[entry->len - 1] == '\t'))
		entry->len--;
	return entry->len != 0;
}

static size_t count_entries(const char *list)
{
	struct str entry;
	size_t n = 0;

	while (next_entry(&list, &entry))
		n++;
	return n;
}

/* Reads one list's entries as words into *room and out. */
static int read_list(const char *list, const char *setting, char **room, struct str *out, struct err *err)
{
	struct str entry;

	while (next_entry(&list, &entry)) {
		struct words w;

		read_words(&w, entry);
		if (entry.len > SCRUB_KEY_MAX || w.len == 0)
			return err_set(err, ERR_REJECT, "%s: '" STR_FMT "' is no key: one has 1 to %d bytes, and a letter or digit", setting,
				       (int)(entry.len > SCRUB_KEY_MAX ? SCRUB_KEY_MAX : entry.len), entry.p, SCRUB_KEY_MAX);
		memcpy(*room, w.text, w.len);
		*out++ = (struct str){*room, w.len};
		*room += w.len;
	}
	return 0;
}

static int fill(struct scrub_keys *k, const char *secret, size_t secret_len, const char *except, struct err *err)
{
	size_t len = sizeof(built_in) / sizeof(built_in[0]), at = 0;
	struct str *added = calloc(secret_len + 1, sizeof(*added));
	char *room;
	int rc;

	k->text = malloc(strlen(secret) + strlen(except) + 1);
	k->rules = calloc(len + secret_len, sizeof(*k->rules));
	k->except = calloc(k->except_len + 1, sizeof(*k->except));
	room = k->text;
	rc = !added || !k->text || !k->rules || !k->except ? err_nomem(err, "rules for secrets")
	     : read_list(secret, "scrub.keys", &room, added, err) < 0 ? -1 : read_list(except, "scrub.except", &room, k->except, err);
	if (rc == 0) {
		for (size_t i = 0; i < len; i++)
			k->rules[i] = (struct rule){str_from(built_in[i].text), built_in[i].kind};
		for (size_t i = 0; i < secret_len; i++)
			k->rules[len + i] = (struct rule){added[i], WORDS};
		len += secret_len;
		qsort(k->rules, len, sizeof(*k->rules), compare_rules);
		for (int c = 0; c <= 256; c++) {
			while (at < len && (uint8_t)k->rules[at].text.p[k->rules[at].text.len - 1] < c)
				at++;
			k->begin[c] = (uint32_t)at;
		}
		know_grams(k, len);
	}
	free(added);
	return rc;
}

struct scrub_keys *scrub_keys_new(const char *secret, const char *except, struct err *err)
{
	struct scrub_keys *k = calloc(1, sizeof(*k));

	if (!k) {
		err_nomem(err, "rules for secrets");
		return NULL;
	}
	k->except_len = count_entries(except);
	if (fill(k, secret, count_entries(secret), except, err) < 0) {
		scrub_keys_free(k);
		return NULL;
	}
	return k;
}

void scrub_keys_free(struct scrub_keys *k)
{
	if (!k)
		return;
	free(k->rules);
	free(k->except);
	free(k->text);
	free(k);
}
