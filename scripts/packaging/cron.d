# /etc/cron.d/notices: sends what is due, once a minute, where notices-flush.timer does
# not: on a machine that systemd does not run. It needs a configuration that says where
# to. Cron mails what it prints, and it prints nothing while all is well.
MAILTO=root
* * * * * notices [ -d /run/systemd/system ] || [ ! -x /usr/bin/notices ] || ! grep -Eqs '^ *(\[\[server|via)' /etc/notices/notices.toml || notices flush --splay 30s
