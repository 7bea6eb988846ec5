#!/bin/sh
# serve-demo.sh PROGRAM DATA LISTEN: fills an empty or absent data directory with the demo shop and a
# model, then serves it. A half-made one is never left under its final name.
set -eu
program=$1 data=$2 listen=$3
if [ -z "$(ls -A "$data" 2>/dev/null)" ]; then
    making=$data.making
    rm -rf "$making"
    mkdir -p "$making"
    trap 'rm -rf "$making"' EXIT
    trap 'exit 130' INT TERM
    echo "Making the demo shop in $data"
    "$program" demo --out "$making/demo"
    "$program" import --data "$making/data" "$making/demo/items.ndjson" "$making/demo/orders.ndjson"
    "$program" train --data "$making/data"
    mkdir -p "$(dirname "$data")"
    [ ! -d "$data" ] || rmdir "$data"
    mv "$making/data" "$data"
    rm -rf "$making"
    trap - EXIT INT TERM
fi

# An item that a well-supported rule starts from.
item=$("$program" rules --data "$data" --sort support --limit 1 | sed -n '1s/^\([A-Za-z0-9._-]*\) .*/\1/p')
url=http://$listen
cat <<TEXT

basketd answers on $url as soon as it says so below. From another terminal:

    curl -sw '\n' '$url/recommend?items=${item:-sku-000001}&limit=3'
    curl -sw '\n' '$url/rules?antecedent=${item:-sku-000001}&limit=3'
    curl -sw '\n' -H 'Content-Type: application/json' \\
        -d '{"items":["${item:-sku-000001}"],"filter":{"in_stock":true},"explain":true}' '$url/recommend'
    curl -sw '\n' -H 'Content-Type: application/json' \\
        -d '{"order_id":"web-1","items":[{"item_id":"${item:-sku-000001}","quantity":1}]}' '$url/ingest'
    curl -sw '\n' -X POST '$url/train'
    curl -sw '\n' '$url/readyz'

Ctrl-C ends it; the data stays in $data.

TEXT
exec "$program" serve --data "$data" --listen "$listen"
