// A minimal C face of RE2 (https://github.com/google/re2): compile once, match many times, linear time.
#ifndef STREAMENGINE_CRE2_H
#define STREAMENGINE_CRE2_H
#include <stdbool.h>
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct cre2_regex cre2_regex;

/// Compiles `pattern` (UTF-8, dot matches newline, as Prometheus 3 does). Returns NULL when it does not compile;
/// then up to `error_capacity` bytes of the reason stand in `error`, NUL-terminated.
cre2_regex *cre2_compile(const char *pattern, size_t length, char *error, size_t error_capacity);
void cre2_free(cre2_regex *regex);
/// Number of capturing groups.
int cre2_group_count(const cre2_regex *regex);
/// True when the whole of `text` matches.
bool cre2_full_match(const cre2_regex *regex, const char *text, size_t length);
/// Finds the first match anywhere in `text`; sets start and length of the first group (or of the whole match when there is
/// no group). A group that took no part gives start = -1. Returns false when nothing matches.
bool cre2_extract(const cre2_regex *regex, const char *text, size_t length, long *start, long *group_length);

#ifdef __cplusplus
}
#endif
#endif
