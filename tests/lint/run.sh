#!/bin/bash
# `make lint`: everything is run, every fault is shown, and any of them fails it.
set -u
failed=0
run() {
    echo "== $1"
    shift
    "$@" || failed=1
}
mapfile -t c_files < <(git ls-files 'bridge/*.c' 'common/*.c')
mapfile -t test_c_files < <(git ls-files 'tests/*.c')
mapfile -t all_c < <(git ls-files '*.c' '*.h')
mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
mapfile -t python < <(git ls-files '*.py')
read -r -a cppflags <<<"${CPPFLAGS//\'/}"
read -r -a warnings <<<"$WARNINGS"

both_compilers() {
    local ok=0 compiler file
    for compiler in gcc clang; do
        for file in "${c_files[@]}" "${test_c_files[@]}"; do
            "$compiler" -std=gnu17 -O2 "${cppflags[@]}" "${warnings[@]}" -c -o /dev/null "$file" || ok=1
        done
    done
    return $ok
}
tidy() {
    # One file a run: with several, this version takes every va_list for uninitialized.
    printf '%s\n' "${c_files[@]}" \
        | xargs -P 2 -I@ clang-tidy --quiet @ -- -std=gnu17 "${cppflags[@]}" 2> >(grep -vE 'warnings? generated' >&2)
}

run 'layers' "$PYTHON" tests/lint/layers.py
run 'calls' "$PYTHON" tests/lint/calls.py "$BUILD/obj"
run 'format' clang-format --dry-run -Werror "${all_c[@]}"
run 'gcc and clang' both_compilers
run 'cppcheck' cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
    --error-exitcode=1 -I. -D_GNU_SOURCE "${c_files[@]}"
run 'clang-tidy' tidy
run 'shellcheck' shellcheck -S warning "${scripts[@]}"
run 'pyflakes' "$PYTHON" -m pyflakes "${python[@]}"
[ $failed -eq 0 ] && echo 'lint: ok'
exit $failed
