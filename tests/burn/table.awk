# Reads known.txt, then what `cargo test` printed; prints the tests by area, the ops that refused, and what failed.
# Exit status 1 if a test fails that is not listed as known, or one that is listed does not.

FILENAME ~ /known\.txt$/ {
    sub(/#.*/, "")
    if ($1 == backend) known[$2 " " $3] = 1
    next
}
/^ +Running / {
    suite = ""
    if (match($0, /\/(tensor|autodiff|suite_burn_nn|suite_burn_optim)-[0-9a-f]+\)/)) {
        suite = substr($0, RSTART + 1, RLENGTH - 1)
        sub(/-.*/, "", suite)
        sub(/^suite_burn_/, "burn-", suite)
    }
}
suite == "" { next }
/^test .* \.\.\. / {
    name = $2
    area = suite
    split(name, path, "::")
    if (suite == "tensor") area = suite " " path[2]
    if (suite == "autodiff" && path[2] == "checkpointing") area = suite " " path[2]
    if (!(area in run)) order[++areas] = area
    run[area]++
    all++
    where[suite " " name] = area
    if ($NF == "ok") passed[area]++
    else if ($NF == "FAILED") broken[suite " " name] = 1
    else ignored[area]++
}
/^---- .* stdout ----$/ { name = $2; said = 1; next }
said && /refused in portable mode/ {
    refusal[suite " " name] = 1
    op = $0
    if (op ~ /random tensors/) op = "random tensors without a generator"
    else if (match(op, /`[^`]*`/)) op = substr(op, RSTART + 1, RLENGTH - 2)
    ops[op]++
    said = 0
}
/^test result:/ { said = 0; ended[suite] = 1; claimed += $4 + $6 + $8 }
END {
    split("tensor autodiff burn-nn burn-optim", suites, " ")
    for (i = 1; i <= 4; i++)
        if (!(suites[i] in ended)) { print suites[i] " was not built, or did not come to its end"; bad = 3 }
    for (test in broken) {
        if (test in refusal) refused[where[test]]++
        else {
            failed[where[test]]++
            if (test in known) delete known[test]
            else { print "FAILED " test; bad = bad ? bad : 1 }
        }
    }
    for (test in known) { print "listed in known.txt, but does not fail: " test; bad = bad ? bad : 1 }
    printf "%-26s %6s %7s %7s %8s %8s\n", backend, "run", "passed", "failed", "refused", "ignored"
    for (i = 1; i <= areas; i++) {
        area = order[i]
        line(area, run[area], passed[area], failed[area], refused[area], ignored[area])
        p += passed[area]; f += failed[area]; r += refused[area]; n += ignored[area]
    }
    line("all", all, p, f, r, n)
    for (op in ops) print "refused: " op ", " ops[op] " tests"
    if (claimed != all) { print "the runs speak of " claimed " tests, " all + 0 " were seen"; bad = bad ? bad : 1 }
    exit bad
}
function line(area, run, passed, failed, refused, ignored) {
    printf "%-26s %6d %7d %7d %8d %8d\n", area, run, passed, failed, refused, ignored
}
