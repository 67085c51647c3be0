//! What runs on made machines: programs with command lines of ordinary lengths, a few of them long.

use std::fmt::Write as _;

/// A program that could run.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) command_line: String,
    pub(super) user: &'static str,
    pub(super) executable: &'static str,
    pub(super) cgroup: String,
}

/// Name, executable, user, unit, command line in which `#` stands for a number.
type Template = (&'static str, &'static str, &'static str, &'static str, &'static str);

const TEMPLATES: &[Template] = &[
    ("systemd", "/usr/lib/systemd/systemd", "root", "init.scope", "/sbin/init splash"),
    ("sshd", "/usr/sbin/sshd", "root", "ssh.service", "sshd: deploy@pts/#"),
    ("bash", "/usr/bin/bash", "deploy", "session-#.scope", "-bash"),
    ("cron", "/usr/sbin/cron", "root", "cron.service", "/usr/sbin/cron -f"),
    (
        "postgres",
        "/usr/lib/postgresql/15/bin/postgres",
        "postgres",
        "postgresql@15-main.service",
        "postgres: 15/main: shop shop 10.20.0.#(4#) idle",
    ),
    (
        "postgres",
        "/usr/lib/postgresql/15/bin/postgres",
        "postgres",
        "postgresql@15-main.service",
        "postgres: 15/main: autovacuum worker #",
    ),
    ("nginx", "/usr/sbin/nginx", "www-data", "nginx.service", "nginx: worker process"),
    (
        "redis-server",
        "/usr/bin/redis-check-rdb",
        "redis",
        "redis-server.service",
        "/usr/bin/redis-server 127.0.0.1:63#",
    ),
    (
        "python3",
        "/usr/bin/python3.11",
        "app",
        "shop-web.service",
        "/srv/shop/venv/bin/python3 /srv/shop/venv/bin/gunicorn shop.wsgi:application --bind 127.0.0.1:8# --workers 8 --timeout 60 --access-logfile -",
    ),
    (
        "python3",
        "/usr/bin/python3.11",
        "app",
        "shop-worker@#.service",
        "/srv/shop/venv/bin/python3 -m celery -A shop worker --loglevel=INFO --concurrency=4 -n worker#@%h -Q orders,mail,thumbnails",
    ),
    (
        "java",
        "/usr/lib/jvm/java-17-openjdk-amd64/bin/java",
        "kafka",
        "kafka.service",
        "/usr/lib/jvm/java-17-openjdk-amd64/bin/java -Xmx1G -Xms1G -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true -Dkafka.logs.dir=/var/log/kafka -Dlog4j.configuration=file:/etc/kafka/log4j.properties -cp /opt/kafka/libs/*:/opt/kafka/site-docs/# kafka.Kafka /etc/kafka/server-#.properties",
    ),
    ("node", "/usr/bin/node", "app", "front.service", "node --max-old-space-size=2048 /srv/front/server.js --port 3#"),
    ("kworker/u16:2", "", "root", "", ""),
    (
        "containerd-shim",
        "/usr/bin/containerd-shim-runc-v2",
        "root",
        "containerd.service",
        "/usr/bin/containerd-shim-runc-v2 -namespace moby -id 5f1c2e#a9 -address /run/containerd/containerd.sock",
    ),
    (
        "dbus-daemon",
        "/usr/bin/dbus-daemon",
        "messagebus",
        "dbus.service",
        "/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only",
    ),
    ("rsyslogd", "/usr/sbin/rsyslogd", "root", "rsyslog.service", "/usr/sbin/rsyslogd -n -iNONE"),
    (
        "prometheus-node",
        "/usr/bin/prometheus-node-exporter",
        "prometheus",
        "node-exporter.service",
        "/usr/bin/prometheus-node-exporter --collector.diskstats.ignored-devices=^(ram|loop|fd)\\d+$",
    ),
    ("sleep", "/usr/bin/sleep", "app", "shop-worker@#.service", "sleep #"),
    ("git", "/usr/bin/git", "deploy", "session-#.scope", "git -C /srv/repositories/#.git gc --auto --quiet"),
    (
        "rustc",
        "/usr/bin/rustc",
        "builder",
        "runner.service",
        "rustc --crate-name crate_# --edition=2024 src/lib.rs --error-format=json --crate-type lib --emit=dep-info,metadata,link -C embed-bitcode=no -C debuginfo=2 -C metadata=a#f0 --out-dir target/debug/deps -L dependency=target/debug/deps",
    ),
];

/// One of them; long-lived ones have low pids.
pub(super) fn choose(random: &mut fastrand::Rng, pid: u32) -> Program {
    let (name, executable, user, unit, command_line) = TEMPLATES[random.usize(0..TEMPLATES.len())];
    let number = random.u32(1..100) + pid % 7 * 100;
    let mut cgroup = String::new();
    if !unit.is_empty() {
        // Writing to a string cannot fail.
        write!(cgroup, "/system.slice/{}", filled(unit, number % 10)).ok();
    }
    Program { name, command_line: filled(command_line, number), user, executable, cgroup }
}

fn filled(template: &str, number: u32) -> String {
    template.replace('#', &number.to_string())
}
