# Shortens a log of cargo test: one line for each program that has tests, warnings, and everything about a failure.
/^ +(Running|Doc-tests) / { program = $1 == "Running" ? $2 " " $3 : $0; sub(/ \(.*/, "", program); path = $NF; next }
/^test result:/ {
    failing = 0
    if ($4 + $6 + $8 > 0) printf "%-28s %s passed, %s failed, %s ignored  %s\n", name(), $4, $6, $8, $NF
}
/^successes:/ { failing = 0 }
/^failures:|^error/ { failing = 1 }
failing || /^warning/
# "unittests src/lib.rs (target/debug/deps/joulebar_core-0a40...)" is told apart by the file it ran
function name() {
    if (program !~ /^unittests/) return program
    sub(/.*\//, "", path)
    sub(/-[0-9a-f]+\)$/, "", path)
    return path
}
