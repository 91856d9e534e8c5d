#!/bin/bash
# Walk through docs/deploy.md on three "machines" of this host: network namespaces with addresses, host names and
# home directories of their own, joined by a bridge. Needs root and iproute2; leaves nothing behind.
#   docs/three_machines.sh EMPTY_FOLDER [ENGINE]   (CRYOFED=path of the command, if it is not on PATH)
set -euo pipefail
engine=${2:-flare}
folder=$(mkdir -p "$1" && cd "$1" && pwd)
cryofed=${CRYOFED:-cryofed}
declare -A address=([agg]=10.77.0.1 [lab-a]=10.77.0.2 [lab-b]=10.77.0.3)

on() { # on MACHINE COMMAND...: in its network, its home and its folder
  local machine=$1
  shift
  ip netns exec "cf-$machine" env -C "$folder/$machine" HOME="$folder/$machine/home" "$@"
}
evaluated() { # evaluated CAMPAIGN: every site measured its candidate on what it had kept aside
  for number in 1 2; do
    grep -q "\"site-$number\": *{" "$folder/agg/demo/campaigns/$1/gate.json" || { echo "site-$number did not evaluate"; exit 1; }
  done
}
clean() {
  set +e
  { # what is left of a walk that did not come to its end
    for machine in lab-a lab-b; do on $machine "$cryofed" site stop; done
    on agg "$cryofed" federation stop plan.toml
  } > /dev/null
  for machine in "${!address[@]}"; do ip netns del "cf-$machine"; rm -rf "/etc/netns/cf-$machine"; done
  ip link del cfbridge
}

if ! ip link add name cfbridge type bridge; then
  echo "another walk is under way on this host, or was killed: wait, or ip link del cfbridge" >&2
  exit 1
fi
trap clean EXIT
ip link set cfbridge up
for machine in "${!address[@]}"; do
  mkdir -p "$folder/$machine/home" "/etc/netns/cf-$machine"
  printf '127.0.0.1 localhost\n%s agg.example.org\n' "${address[agg]}" > "/etc/netns/cf-$machine/hosts"
  ip netns add "cf-$machine"
  ip link add "v-$machine" type veth peer name eth0 netns "cf-$machine"
  ip link set "v-$machine" master cfbridge up
  ip -n "cf-$machine" addr add "${address[$machine]}/24" dev eth0
  ip -n "cf-$machine" link set lo up
  ip -n "cf-$machine" link set eth0 up
done

echo "== the labs have past selections"
"$cryofed" simulate sites --sites 2 --jobs 8 --out "$folder/simulated" --workers 1
for number in 1 2; do
  lab=lab-$(echo ab | cut -c$number)
  mv "$folder/simulated/site-$number" "$folder/$lab/projects"
  on "$lab" bash -c "'$cryofed' harvest projects/* --library library.db"
done

echo "== the coordinator founds the federation"
on agg "$cryofed" federation new plan.toml --name demo --engine "$engine" --sites site-1,site-2 --rounds 3
sed -i 's/^host = .*/host = "agg.example.org"/; s/^host_names = .*/host_names = "10.77.0.1"/; s/^steps = .*/steps = 10/; s/^min_updates = .*/min_updates = 1/' \
  "$folder/agg/plan.toml"
on agg "$cryofed" federation provision plan.toml

echo "== each lab joins: only the request and the answer cross"
for number in 1 2; do
  lab=lab-$(echo ab | cut -c$number)
  cp "$folder/agg/demo/$engine/invitation.toml" "$folder/$lab/"
  on "$lab" "$cryofed" site join invitation.toml --name "site-$number" --organization "$lab" --library library.db --yes \
    | tee "$folder/$lab/told.txt"
  cp "$folder/$lab/site/site-$number.request.pem" "$folder/agg/"
  told=$(grep -o 'SHA256:.*' "$folder/$lab/told.txt" | tail -n 1) # the site's own key, by telephone
  on agg "$cryofed" federation approve plan.toml "site-$number.request.pem" --fingerprint "$told"
  cp "$folder/agg/site-$number.signed.pem" "$folder/$lab/"
  on "$lab" "$cryofed" site join "site-$number.signed.pem"
done

echo "== a lab that starts before the aggregator is told so"
on lab-a "$cryofed" site start || true

echo "== start and run"
on agg "$cryofed" federation start plan.toml
on lab-a "$cryofed" site start
on lab-b "$cryofed" site start
on agg "$cryofed" federation run plan.toml
on agg "$cryofed" federation status plan.toml
evaluated 0001
on lab-a "$cryofed" site status

echo "== a lab dies in the middle of the next campaign, and comes back"
on agg "$cryofed" federation run plan.toml &
run=$!
until [ -s "$folder/agg/demo/campaigns/0002/rounds.jsonl" ]; do kill -0 $run; sleep 0.2; done
ip netns pids cf-lab-b | xargs kill -9
on lab-b "$cryofed" site status
on lab-b "$cryofed" site start
wait $run
echo "== the next campaign has both again"
on agg "$cryofed" federation run plan.toml
evaluated 0003
on agg "$cryofed" federation status plan.toml

echo "== a lab is revoked: it is not let in again"
on agg "$cryofed" federation revoke plan.toml site-2
on lab-b "$cryofed" site stop
on lab-b "$cryofed" site start || true

echo "== stop: no process is left"
on lab-a "$cryofed" site stop
on agg "$cryofed" federation stop plan.toml
for machine in "${!address[@]}"; do
  [ -z "$(ip netns pids "cf-$machine")" ] || { echo "left on $machine"; exit 1; }
done
