# Rung 4: the unmodified Linux driver on our emulator. Read by ./run.

# The driver, its tools and our judge.
linux_disk() {
    [ -e "$work/linux.cpio" ] && return 0
    local into=$work/linux
    mkdir -p "$into/lib64" "$into/lib/x86_64-linux-gnu" "$into/lib/firmware"
    cp "$store"/dahdi/*.ko "$into/"
    local tool
    for tool in dahdi_cfg dahdi_scan; do
        cp "$(find "$store/dahdi/root" -name $tool -type f | head -1)" "$into/$tool"
    done
    local library
    for library in libc.so.6 libm.so.6 libpthread.so.0 libtonezone.so.2.0; do
        cp -L "$(find "$store/dahdi/root" -name "$library" | head -1)" "$into/lib/x86_64-linux-gnu/"
    done
    cp -L "$(find "$store/dahdi/root" -name ld-linux-x86-64.so.2 | head -1)" "$into/lib64/"
    printf '#include <dahdi/user.h>\n' >"$work/header.c"
    local headers=()
    cc -E "$work/header.c" >/dev/null 2>&1 || headers=(-I "$store/build/usr/include")
    cc -static -O2 -Wall -Wextra "${headers[@]}" -o "$into/linux_driver" "$here/linux_driver.c" || return 1
    # Only where libpri is; what needs it says so.
    cc -static -O2 -Wall -Wextra "${headers[@]}" -o "$into/libpri_call" "$here/libpri_call.c" -lpri -lm 2>/dev/null
    archive "$into" "$work/linux.cpio"
}

# system_conf MODE SPANS: the driver's configuration; prints the channels of a span.
system_conf() {
    local mode=$1 spans=$2 line channels first last
    case $mode in
    e1-*) channels=31 ;;
    t1-*) channels=24 ;;
    esac
    for ((span = 1; span <= spans; span++)); do
        case $mode in
        e1-ccs*) line=ccs,hdb3,crc4 ;;
        e1-cas) line=cas,hdb3,crc4 ;;
        e1-cas-ami) line=cas,ami ;;
        t1-esf*) line=esf,b8zs ;;
        t1-d4*) line=d4,ami ;;
        esac
        echo "span=$span,$((span % 2)),0,$line"
        first=$(((span - 1) * channels + 1))
        last=$((span * channels))
        case $mode in
        e1-ccs) echo "bchan=$first-$((first + 14)),$((first + 16))-$last" && echo "dchan=$((first + 15))" ;;
        e1-ccs-hard) echo "bchan=$first-$((first + 14)),$((first + 16))-$last" && echo "hardhdlc=$((first + 15))" ;;
        e1-ccs-mixed)
            # Software HDLC on one side of each line, the framer's on the other.
            echo "bchan=$first-$((first + 14)),$((first + 16))-$last"
            if [ $((span % 2)) = 1 ]; then echo "dchan=$((first + 15))"; else echo "hardhdlc=$((first + 15))"; fi
            ;;
        e1-cas*) echo "cas=$first-$((first + 14)),$((first + 16))-$last:1101" ;;
        t1-esf) echo "bchan=$first-$((last - 1))" && echo "dchan=$last" ;;
        t1-esf-mixed)
            echo "bchan=$first-$((last - 1))"
            if [ $((span % 2)) = 1 ]; then echo "dchan=$last"; else echo "hardhdlc=$last"; fi
            ;;
        t1-*-cas) echo "cas=$first-$last:1101" ;;
        esac
    done
    printf 'loadzone=us\ndefaultzone=us\n'
}

# linux_run NAME MODEL GENERATION SPANS MODE TEST…
linux_run() {
    local name=$1 model=$2 generation=$3 spans=$4 mode=$5
    shift 5
    [[ $name == *${ONLY:-}* ]] || return 0
    echo "$name: $model generation $generation, $mode"
    local folder=$work/$name channels=31 options= version=c01a0170
    mkdir -p "$folder/disk-of-run/lib/firmware"
    local plan=$folder/disk-of-run
    system_conf "$mode" "$spans" >"$plan/system.conf"
    case $mode in t1-*) channels=24 options=default_linemode=t1 ;; esac
    case $model in
    TE820)
        # The header of the board's image, with the version its FPGA shows: nothing is to be updated.
        version=c01a0176
        firmware "$version" >"$plan/lib/firmware/dahdi-fw-te820.bin"
        ;;
    esac
    cat >"$plan/plan" <<END
insmod /dahdi.ko auto_assign_spans=1 || echo "not ok insmod: dahdi"
insmod /oct612x.ko
insmod /wct4xxp.ko $options || echo "not ok insmod: wct4xxp"
if LD_LIBRARY_PATH=/lib/x86_64-linux-gnu /dahdi_cfg -c /system.conf; then
    echo "ok dahdi_cfg"
    /linux_driver $spans $channels $* || echo "not ok linux_driver: status \$?"
else
    echo "not ok dahdi_cfg: status \$?"
    dmesg | tail -20
fi
END
    archive "$plan" "$folder/run.cpio"
    emulate "$name" --breath=400 "$model:$generation:$folder/board:version=$version"
    guest "$name" 420 "$work/base.cpio" "$work/linux.cpio" "$folder/run.cpio" -- \
        -object memory-backend-memfd,id=ram,size=256M,share=on -machine q35,memory-backend=ram \
        -device "{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":\"$folder/board\"}}" \
        -append "console=ttyS0 quiet loglevel=4 iomem=relaxed no_timer_check panic=-1"
    stop_emulating "$name"
    judge "$name"
}

# back_to_back NAME PROGRAM WORDS: the Linux driver on one board, ours (PROGRAM) on another, every span of the one
# cabled to the other's; WORDS is what the guest does on Linux' side.
back_to_back() {
    local name=$1 program=$2 words=$3
    [[ $name == *${ONLY:-}* ]] || return 0
    echo "$name: TE410P driven by Linux, TE405P by us, four cables between them"
    vfio_disk "$name-disk" "$program" || {
        failed=$((failed + 1))
        return
    }
    local folder=$work/$name
    mkdir -p "$folder/disk-of-run"
    system_conf e1-ccs 4 >"$folder/disk-of-run/system.conf"
    cat >"$folder/disk-of-run/plan" <<END
. /vfio-plan
bind 0xd161 0x1405
/bin/$(basename "$program") \$at &
ours=\$!
insmod /dahdi.ko auto_assign_spans=1
insmod /oct612x.ko
insmod /wct4xxp.ko || echo "not ok insmod: wct4xxp"
if LD_LIBRARY_PATH=/lib/x86_64-linux-gnu /dahdi_cfg -c /system.conf; then
    echo "ok dahdi_cfg"
    $words || echo "not ok judge: status \$?"
else
    echo "not ok dahdi_cfg: status \$?"
fi
wait \$ours || echo "not ok ours: status \$?"
END
    archive "$folder/disk-of-run" "$folder/run.cpio"
    emulate "$name" --breath=400 "TE410P:5:$folder/linux" "TE405P:5:$folder/ours"
    local device='{"driver":"vfio-user-pci","socket":{"type":"unix","path":"%s"}}'
    guest "$name" 420 "$work/base.cpio" "$work/linux.cpio" "$work/$name-disk.cpio" "$folder/run.cpio" -- \
        -object memory-backend-memfd,id=ram,size=256M,share=on \
        -machine q35,kernel-irqchip=split,memory-backend=ram \
        -device intel-iommu,intremap=on,caching-mode=on \
        -device "$(printf "$device" "$folder/linux")" -device "$(printf "$device" "$folder/ours")" \
        -append "console=ttyS0 quiet loglevel=4 intel_iommu=on iomem=relaxed no_timer_check panic=-1"
    stop_emulating "$name"
    judge "$name"
}

# Both drivers, then both call engines on top of them.
both_drivers() {
    (cd "$root" && cargo build --quiet --package driver --example back) || {
        failed=$((failed + 1))
        return
    }
    back_to_back back-to-back "$target/debug/examples/back" "/linux_driver 4 31 back green audio frames:16 bye:16"
    if ! printf '#include <libpri.h>\nint main(void){return 0;}\n' | cc -x c - -static -lpri -o "$work/libpri" 2>/dev/null; then
        skip "rung 4, calls: libpri-dev is not installed"
        return
    fi
    (cd "$root" && cargo build --quiet --package trunkline --example guest_call) || {
        failed=$((failed + 1))
        return
    }
    back_to_back calls-back-to-back "$target/debug/examples/guest_call" /libpri_call
}

# scan NAME MODEL GENERATION SPANS MODE: what `dahdi_scan` and we say of the same board and the same system.conf. The
# board is the Linux driver's: ours has no call server to ask for alarms, and nobody to read the rotary switch.
scan_run() {
    local name=$1 model=$2 generation=$3 spans=$4 mode=$5 options=
    [[ $name == *${ONLY:-}* ]] || return 0
    echo "$name: dahdi_scan and ours, $model generation $generation, $mode"
    (cd "$root" && cargo build --quiet --package trunkline --example guest_call) &&
        vfio_disk scan-disk "$target/debug/examples/guest_call" || {
        failed=$((failed + 1))
        return
    }
    local folder=$work/$name version=c01a0170
    local plan=$folder/disk-of-run
    mkdir -p "$plan/lib/firmware"
    system_conf "$mode" "$spans" >"$plan/system.conf"
    case $mode in t1-*) options=default_linemode=t1 ;; esac
    if [ "$model" = TE820 ]; then
        version=c01a0176
        firmware "$version" >"$plan/lib/firmware/dahdi-fw-te820.bin"
    fi
    cat >"$plan/plan" <<END
insmod /dahdi.ko auto_assign_spans=1
insmod /oct612x.ko
insmod /wct4xxp.ko $options || echo "not ok insmod: wct4xxp"
export LD_LIBRARY_PATH=/lib/x86_64-linux-gnu
/dahdi_cfg -c /system.conf || echo "not ok dahdi_cfg: status \$?"
/dahdi_scan | grep -vE '^(alarms|location)=' >/theirs
unset LD_LIBRARY_PATH
for folder in /sys/bus/pci/devices/*; do
    [ "\$(cat \$folder/vendor)" = 0xd161 ] && at=\${folder##*/}
done
cat >/trunkline.toml <<CONF
[spans]
system_conf = "/system.conf"
[[spans.board]]
at = "\$at"
spans = [$(seq -s, "$spans")]
CONF
/bin/guest_call scan /trunkline.toml >/all || echo "not ok scan: status \$?"
grep -vE '^(alarms|location)=' /all >/ours
echo "  \$(wc -l </theirs) lines of theirs, \$(wc -l </ours) of ours"
if [ -s /theirs ] && cmp -s /theirs /ours; then echo "ok scan: the same"; else
    echo "not ok scan: they differ"
    diff /theirs /ours | sed 's/^/  /'
fi
END
    archive "$plan" "$folder/run.cpio"
    emulate "$name" --breath=400 "$model:$generation:$folder/board:version=$version"
    guest "$name" 420 "$work/base.cpio" "$work/linux.cpio" "$work/scan-disk.cpio" "$folder/run.cpio" -- \
        -object memory-backend-memfd,id=ram,size=256M,share=on -machine q35,memory-backend=ram \
        -device "{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":\"$folder/board\"}}" \
        -append "console=ttyS0 quiet loglevel=4 iomem=relaxed no_timer_check panic=-1"
    stop_emulating "$name"
    judge "$name"
}

# firmware VERSION: an image file without an image. "DIGIUM", CRC-32 of what follows, 18 octets, the version.
firmware() {
    local body=$work/firmware-body
    {
        head -c 18 /dev/zero
        printf "\\x${1:6:2}\\x${1:4:2}\\x${1:2:2}\\x${1:0:2}"
        head -c 32 /dev/zero
    } >"$body"
    printf DIGIUM
    # The last eight octets of a gzip file are that CRC and the length.
    gzip -c "$body" | tail -c 8 | head -c 4
    cat "$body"
}

rung_4() {
    if [ ! -e "$store/qemu/vfio-user" ]; then
        skip "rung 4: no QEMU here speaks vfio-user-pci (10.1 and later do)"
        return
    fi
    (cd "$root" && cargo build --quiet --package emulator --example boards) && linux_disk || {
        failed=$((failed + 1))
        return
    }
    linux_run te410p-5-ccs TE410P 5 4 e1-ccs green audio frames:16 alarms interworking
    linux_run te410p-2-ccs TE410P 2 4 e1-ccs green audio frames:16
    linux_run te420-5-cas TE420 5 4 e1-cas green audio bits:1,15,17,31
    linux_run te220-5-hdlc TE220 5 2 e1-ccs-mixed green audio frames:16 alarms
    linux_run te820-5-ccs TE820 5 8 e1-ccs green audio frames:16
    linux_run te410p-5-esf TE410P 5 4 t1-esf-mixed green audio frames:24 alarms
    linux_run te410p-2-esf-cas TE410P 2 4 t1-esf-cas green bits:1,2,23,24
    [ "$how" = --quick ] && return
    both_drivers
    scan_run scan-te410p-2-ccs TE410P 2 4 e1-ccs
    scan_run scan-te420-5-cas TE420 5 4 e1-cas-ami
    scan_run scan-te220-5-esf TE220 5 2 t1-esf
    scan_run scan-te820-5-d4 TE820 5 8 t1-d4-cas
    linux_run te410p-2-alarms TE410P 2 4 e1-ccs green alarms interworking
    linux_run te420-5-alarms TE420 5 4 e1-cas green alarms
    linux_run te820-5-alarms TE820 5 8 e1-ccs green alarms
    linux_run te405p-3-ccs TE405P 3 4 e1-ccs-hard green audio frames:16
    linux_run te405p-4-cas-ami TE405P 4 4 e1-cas-ami green audio bits:1,2,15,17,18,31
    linux_run te205p-2-hdlc TE205P 2 2 e1-ccs-mixed green audio frames:16
    linux_run te420-4-esf TE420 4 4 t1-esf-mixed green audio frames:24
    linux_run te410p-5-d4-cas TE410P 5 4 t1-d4-cas green bits4:1,2,3,4,21,24 alarms
    linux_run te220-5-esf-cas TE220 5 2 t1-esf-cas green bits:1,2,12,24
    linux_run te820-5-hdlc TE820 5 8 e1-ccs-mixed green audio frames:16
    linux_run te820-5-cas TE820 5 8 e1-cas green audio bits:1,15,17,31
    linux_run te820-5-esf TE820 5 8 t1-esf-mixed green audio frames:24
}
