# Rung 2: our kernel-VFIO back end on QEMU's own device, and the conformance suite. Read by ./run.

# vfio_disk NAME PROGRAM…: the kernel's VFIO with programs of ours and what they are linked against.
vfio_disk() {
    local name=$1 into=$work/$1-disk program library
    shift
    mkdir -p "$into/modules" "$into/bin"
    local modules=$store/kernel/lib/modules/$(cat "$store/kernel/release")/kernel
    for library in virt/lib/irqbypass drivers/vfio/vfio drivers/vfio/vfio_virqfd drivers/vfio/vfio_iommu_type1 \
        drivers/vfio/pci/vfio-pci-core drivers/vfio/pci/vfio-pci; do
        cp "$modules/$library.ko" "$into/modules/"
    done
    cp "$here/vfio-plan" "$into/vfio-plan"
    for program; do
        strip -o "$into/bin/$(basename "$program")" "$program" || return 1
        for library in $(ldd "$program" | grep -o '/[^ )]*'); do
            mkdir -p "$into$(dirname "$library")"
            cp -L "$library" "$into$library"
        done
    done
    archive "$into" "$work/$name.cpio"
}

# vfio_guest NAME SECONDS DISK DEVICE PLAN: a machine with an IOMMU and one device.
vfio_guest() {
    local name=$1 seconds=$2 disk=$3 device=$4 plan=$5
    mkdir -p "$work/$name/run"
    printf '. /vfio-plan\n%s\n' "$plan" >"$work/$name/run/plan"
    archive "$work/$name/run" "$work/$name/run.cpio"
    guest "$name" "$seconds" "$work/base.cpio" "$disk" "$work/$name/run.cpio" -- \
        -object memory-backend-memfd,id=ram,size=256M,share=on \
        -machine q35,kernel-irqchip=split,memory-backend=ram \
        -device intel-iommu,intremap=on,caching-mode=on -device "$device" \
        -append "console=ttyS0 quiet loglevel=4 intel_iommu=on iomem=relaxed no_timer_check panic=-1"
    judge "$name"
}

rung_2() {
    (cd "$root" && cargo build --quiet --package bus --examples) &&
        vfio_disk rung2 "$target/debug/examples/edu" "$target/debug/examples/conformance" || {
        failed=$((failed + 1))
        return
    }
    if [[ edu == *${ONLY:-}* ]]; then
        echo "edu: QEMU's own device through the kernel's VFIO and an emulated IOMMU"
        mkdir -p "$work/edu"
        vfio_guest edu 120 "$work/rung2.cpio" edu 'bind 0x1234 0x11e8 && edu $at || echo "not ok edu: status $?"
mkdir -p /etc && echo "plain:x:1000:1000::/:/bin/sh" >/etc/passwd && chmod 755 / /bin /lib* /etc 2>/dev/null
chmod 666 /dev/vfio/vfio
su plain -c "/bin/edu $at refused" || echo "not ok refused: status $?"
chmod 660 /dev/vfio/$group && chown 0:1000 /dev/vfio/$group
(ulimit -l 64 && su plain -c "/bin/edu $at plain") || echo "not ok plain: status $?"
edu $at taken || echo "not ok taken: status $?"'
    fi
    if [[ conformance == *${ONLY:-}* ]]; then
        if [ ! -e "$store/qemu/vfio-user" ]; then
            skip "rung 2, conformance: no QEMU here speaks vfio-user-pci (10.1 and later do)"
            return
        fi
        (cd "$root" && cargo build --quiet --package emulator --example boards) || return
        echo "conformance: the suite of the three back ends, over the kernel's"
        mkdir -p "$work/conformance"
        emulate conformance "--probe=$work/conformance/probe"
        vfio_guest conformance 120 "$work/rung2.cpio" \
            "{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":\"$work/conformance/probe\"}}" \
            'bind 0x1209 0x00ad && conformance $at || echo "not ok conformance: status $?"'
        stop_emulating conformance
    fi
}
