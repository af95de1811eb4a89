# Counts test results in a log: prints "passed failed skipped".
# cargo:   "test result: ok. 12 passed; 0 failed; 1 ignored; ..."; with --show-output also the tests that said they skip.
# scripts: "ok - what", "ok - what # SKIP why", "not ok - what".
/^test result:/ {
    for (i = 1; i <= NF; i++) {
        if ($(i + 1) == "passed;") passed += $i
        if ($(i + 1) == "failed;") failed += $i
        if ($(i + 1) == "ignored;") skipped += $i
    }
}
# one test's output: a test that finds no captures passes, says so, and has tested nothing
/^---- .* stdout ----$/ { said = 0 }
/JOULEBAR_FIXTURES/ && tolower($0) ~ /skip/ && !said { said = 1; silent++ }
/^ok .*# SKIP/ { skipped++; next }
/^ok / { passed++ }
/^not ok / { failed++ }
END { print passed - silent + 0, failed + 0, skipped + silent }
