#!/usr/bin/env bash
# What the end-to-end tests share: a cluster that is always taken down, checks that are one line each. To be sourced.
#
# A test calls `begin`, then `check` and `must`, and ends with `finish`.
ROOT=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
CACHE=${FLEXCONNECT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/flexconnect}
passed=0 failed=0

inside() { "$ROOT/tests/cluster/cluster" exec "$@"; }
kubectl() { inside kubectl "$@"; }

check() { # check WHAT CMD...: one line, with what CMD said when it failed
    local what=$1 start=${EPOCHREALTIME/./} status=ok out; shift
    out=$("$@" 2>&1) || status=FAIL
    printf '%-4s %6s s  %s\n' $status "$(awk "BEGIN { printf \"%.1f\", (${EPOCHREALTIME/./} - $start) / 1e6 }")" "$what"
    if [[ $status == ok ]]; then passed=$((passed + 1)); return 0; fi
    failed=$((failed + 1))
    [[ -z $out ]] || head -n 40 <<<"$out" | sed 's/^/     | /'
}
must() { # must WHAT CMD...: a check without which the rest is in vain
    local before=$failed
    check "$@"
    ((failed == before)) || finish
}
eventually() { # eventually SECONDS CMD...: CMD succeeds within that time; else what it said last
    local end=$((SECONDS + $1)) out; shift
    until out=$("$@" 2>&1); do
        ((SECONDS < end)) || { echo "${out:-"'$*' was not true in time"}"; return 1; }
        sleep 0.2
    done
}
same() { # same WANT GOT
    [[ $1 == "$2" ]] || { printf 'wanted: %s\ngot:    %s\n' "$1" "$2"; return 1; }
}

begin() { # begin NAME: one test of a name at a time; what a killed one left behind is ended first
    mkdir -p "$CACHE/cluster"
    export CLUSTER_STATE=$CACHE/cluster/$1 CLUSTER_TTL=${CLUSTER_TTL:-900}
    exec 8>"$CLUSTER_STATE.lock"; flock 8
    "$ROOT/tests/cluster/cluster" down
    trap '"$ROOT/tests/cluster/cluster" down' EXIT
    trap 'exit 130' INT TERM
}
finish() {
    ((failed == 0)) || explain || :
    check "the cluster goes, and leaves nothing behind" leave
    echo "$passed passed, $failed failed"
    exit $((failed > 0))
}
leave() {
    "$ROOT/tests/cluster/cluster" down || return
    local cgroups
    cgroups=cluster-$(printf %s "$CLUSTER_STATE" | sha256sum | cut -c1-8)
    same "" "$(grep -F "$CLUSTER_STATE" /proc/self/mounts)" &&
        same "" "$(env -u CLUSTER_STATE grep -lzxsF "CLUSTER_STATE=$CLUSTER_STATE" /proc/[0-9]*/environ)" &&
        same "" "$(find /sys/fs/cgroup -maxdepth 2 -name "$cgroups")" &&
        same $'.cluster\nlog' "$(ls -A "$CLUSTER_STATE")"
}
explain() { # what one wants to read after a failure
    local pod
    echo "---- what was there"
    kubectl get statefulsets,pods,services --all-namespaces -o wide
    kubectl get fcs --all-namespaces -o yaml
    kubectl get events --all-namespaces --sort-by=.lastTimestamp | tail -n 40
    for pod in $(kubectl get pods --all-namespaces -o jsonpath='{range .items[*]}{.metadata.namespace}/{.metadata.name} {end}'); do
        echo "---- log of $pod"
        kubectl logs --namespace "${pod%/*}" "${pod#*/}" --all-containers --tail=40
    done
    echo "---- logs of the cluster itself: $CLUSTER_STATE/log"
} 2>&1
