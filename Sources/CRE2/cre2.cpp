#include "cre2.h"

#include <re2/re2.h>

#include <cstring>
#include <new>

struct cre2_regex {
    re2::RE2 re;
    cre2_regex(const re2::StringPiece &pattern, const re2::RE2::Options &options) : re(pattern, options) {}
};

extern "C" cre2_regex *cre2_compile(const char *pattern, size_t length, char *error, size_t error_capacity) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(true);
    auto *regex = new (std::nothrow) cre2_regex(re2::StringPiece(pattern, length), options);
    if (regex == nullptr) return nullptr;
    if (!regex->re.ok()) {
        if (error != nullptr && error_capacity > 0) {
            std::strncpy(error, regex->re.error().c_str(), error_capacity - 1);
            error[error_capacity - 1] = '\0';
        }
        delete regex;
        return nullptr;
    }
    return regex;
}

extern "C" void cre2_free(cre2_regex *regex) { delete regex; }

extern "C" int cre2_group_count(const cre2_regex *regex) { return regex->re.NumberOfCapturingGroups(); }

extern "C" bool cre2_full_match(const cre2_regex *regex, const char *text, size_t length) {
    return re2::RE2::FullMatch(re2::StringPiece(text, length), regex->re);
}

extern "C" bool cre2_extract(const cre2_regex *regex, const char *text, size_t length, long *start, long *group_length) {
    re2::StringPiece groups[2];
    re2::StringPiece input(text, length);
    int wanted = regex->re.NumberOfCapturingGroups() > 0 ? 2 : 1;
    if (!regex->re.Match(input, 0, length, re2::RE2::UNANCHORED, groups, wanted)) return false;
    const re2::StringPiece &found = groups[wanted - 1];
    *start = found.data() == nullptr ? -1 : static_cast<long>(found.data() - text);
    *group_length = static_cast<long>(found.size());
    return true;
}
