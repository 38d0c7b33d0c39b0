# Run by a person at a desktop (see test_isolation.py), with @NAMES@ filled in. A line of output for each attempt:
# its name and "refused", or what happened instead.

# refused NAME COMMAND: the command must fail.
refused() {
    name=$1; shift
    if timeout -k 1 5 setsid bash -c "$*" </dev/null >/tmp/said 2>&1
    then echo "$name: DONE $(head -c 300 /tmp/said | tr '\n' ' ')"
    else echo "$name: refused"
    fi
}

# prints NAME TEXT COMMAND: the command must print exactly that text.
prints() {
    name=$1; want=$2; shift 2
    got=$(timeout -k 1 5 setsid bash -c "$*" </dev/null 2>&1)
    if [ "$got" = "$want" ]; then echo "$name: as expected"; else echo "$name: GOT $got" | tr '\n' ' '; echo; fi
}

prints  data_directory_looks_empty 0 "ls -A @DATA@ 2>/dev/null | wc -l"
refused read_a_record "cat @DATA@/servers/*"
refused write_into_the_data_directory "touch @DATA@/x"
refused unmount_what_hides_the_data "unshare -Urm sh -c 'umount @DATA@ && ls @DATA@/servers'"
refused see_the_manager "cat /proc/[0-9]*/cmdline | tr '\0' ' ' | grep -E 'lucid[.]rdp|[r]ecorder'"
refused see_processes_of_the_host "ls -d /proc/@MANAGER@ && grep -q python /proc/@MANAGER@/comm"
prints  see_only_own_processes "" "for p in /proc/[0-9]*; do [ \$(stat -c %u \$p) = \$(id -u) ] || echo \$p; done"
refused kill_the_first_process "kill -9 1"
refused kill_the_x_server "kill -9 2"
refused kill_xrdp "kill -9 3"
refused read_memory_of_the_x_server "head -c 1 /proc/2/mem"
refused look_through_root_of_the_first_process "ls /proc/1/root/"
refused trace_the_x_server "strace -o /dev/null -p 2 & s=\$!; sleep 0.3; kill \$s"
refused read_the_servers_cookie "cat /run/lucid/xauthority"
refused read_the_certificates_key "cat /run/lucid/tls.key"
refused read_logs_of_the_session "cat /run/lucid/log/xrdp.log"
refused reach_the_socket_between_xrdp_and_x "ls /run/xrdp/sockdir"
refused find_the_other_display "ls /tmp/.X11-unix/X@OTHER@"
refused reach_the_other_display_by_its_abstract_name "grep @/tmp/.X11-unix/X@OTHER@ /proc/net/unix"
refused open_the_other_display "DISPLAY=:@OTHER@ timeout 3 xwininfo -root"
refused open_the_other_display_over_tcp "DISPLAY=127.0.0.1:@OTHER@ timeout 3 xwininfo -root"
refused open_the_own_display_without_cookie "XAUTHORITY=/dev/null timeout 3 xwininfo -root"
prints  see_only_the_own_home "@USER@" "ls /home"
prints  see_no_shared_memory_of_the_host 0 "ipcs -m | grep -c 0x4c756369"
refused read_password_hashes "test -s /etc/shadow && cat /etc/shadow"
refused write_to_the_system "touch /etc/x || touch /usr/x || touch /x || touch /var/x"
refused find_disks "ls /dev/sd* /dev/vd* /dev/nvme* /dev/mem /dev/kmsg"
refused make_devices "mknod /tmp/null c 1 3"
refused become_root "su -c id || sudo -n id || setpriv --reuid 0 id"
prints  have_no_capabilities "0000000000000000" "sed -n 's/^CapEff:.//p' /proc/self/status"
prints  have_no_ambient_capabilities "0000000000000000" "sed -n 's/^CapAmb:.//p' /proc/self/status"
prints  gain_no_privileges_by_setuid_programs "1" "sed -n 's/^NoNewPrivs:.//p' /proc/self/status"
refused enter_the_hosts_namespaces "nsenter -t 1 -m -p ls"
refused change_the_kernel "echo 1 > /proc/sys/kernel/sysrq"
refused ask_for_a_display_as_xrdp_does "exec 3<>/dev/tcp/127.0.0.1/\$(sed -n s/ListenPort=//p /etc/xrdp/sesman.ini); printf x >&3; timeout 3 head -c 1 <&3 | grep -q ."

# And so that "refused" above means something: what a person must be able to do.
prints  control_use_the_own_display ok "xwininfo -root >/dev/null && echo ok"
prints  control_keep_files ok "echo ok >~/kept && cat ~/kept"
prints  control_use_temporary_files ok "echo ok >/tmp/kept && cat /tmp/kept"
prints  control_be_somebody @USER@ "whoami"
prints  control_have_a_terminal ok "test -c /dev/ptmx && test -d /dev/pts && echo ok"
prints  control_make_shared_memory ok "ipcmk -M 4096 >/dev/null && echo ok >/dev/shm/kept && cat /dev/shm/kept"
