# Rung 3: our driver in a guest, through the kernel's VFIO and an emulated IOMMU, on our emulator. Read by ./run.

# driver_run NAME BOARD MODE MILLIS [copied]
driver_run() {
    local name=$1 board=$2 mode=$3 millis=$4 copied=${5:-}
    [[ $name == *${ONLY:-}* ]] || return 0
    echo "$name: ${board%%:*} generation $(cut -d: -f2 <<<"$board"), $mode, $millis ms in lockstep"
    local folder=$work/$name
    mkdir -p "$folder"
    emulate "$name" "$(cut -d: -f1,2 <<<"$board"):$folder/board:$(cut -s -d: -f3- <<<"$board:version=c01a0170")"
    vfio_guest "$name" 400 "$work/rung3.cpio" \
        "{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":\"$folder/board\"}}" \
        "bind_board && guest \$at $mode $millis $copied || echo \"not ok guest: status \$?\""
    stop_emulating "$name"
}

rung_3() {
    if [ ! -e "$store/qemu/vfio-user" ]; then
        skip "rung 3: no QEMU here speaks vfio-user-pci (10.1 and later do)"
        return
    fi
    (cd "$root" && cargo build --quiet --package emulator --example boards &&
        cargo build --quiet --package driver --example guest) &&
        vfio_disk rung3 "$target/debug/examples/guest" || {
        failed=$((failed + 1))
        return
    }
    local long=60000
    [ "$how" = --quick ] && long=4000
    driver_run ours-5-ccs TE410P:5 ccs "$long"
    driver_run ours-5-cas-old-pci TE410P:5:old-pci cas 2000 copied
    [ "$how" = --quick ] && return
    driver_run ours-2-ccs TE410P:2 ccs 10000
    driver_run ours-te820-ccs TE820:5 ccs 10000
    driver_run ours-te220-esf TE220:5 esf 10000 copied
    driver_run ours-5-esf-cas TE405P:5 esf-cas 5000
}
