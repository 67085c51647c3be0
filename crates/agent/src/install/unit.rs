//! The service's unit for systemd, as closed as the agent can live in.

use std::path::PathBuf;

use super::Right;

/// What differs between units.
pub(super) struct Unit {
    /// How the agent is started.
    pub(super) command: String,
    pub(super) config_file: String,
    pub(super) key_file: String,
    pub(super) ca: Option<PathBuf>,
    pub(super) rights: Vec<Right>,
}

const CAPABILITIES: [(Right, &str); 3] =
    [(Right::Events, "CAP_NET_ADMIN"), (Right::Bpf, "CAP_BPF CAP_PERFMON"), (Right::Details, "CAP_SYS_PTRACE")];

/// The unit's text.
pub(super) fn render(unit: &Unit) -> String {
    let Unit { command, config_file, key_file, ca, rights } = unit;
    let capabilities: Vec<_> = CAPABILITIES
        .into_iter()
        .filter(|(right, _)| rights.contains(right))
        .map(|(_, capability)| capability)
        .collect();
    let capabilities = capabilities.join(" ");
    let more_calls = if rights.contains(&Right::Bpf) { " bpf" } else { "" };
    let (ca_credential, ca_argument) = match ca {
        Some(path) => (format!("LoadCredential=ca:{}\n", escape(&path.to_string_lossy())), " --ca %d/ca"),
        None => (String::new(), ""),
    };
    format!(
        "\
# Written by `procession-agent install`. Change the settings in {config_file}, then: systemctl restart procession-agent
[Unit]
Description=Procession agent
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart={command} --config {config_file} --key-file %d/key{ca_argument}
Restart=always
RestartSec=5

# A user that exists only while the service runs; snapshots wait in /var/lib/procession-agent.
DynamicUser=yes
StateDirectory=procession-agent
StateDirectoryMode=0700
LoadCredential=key:{key_file}
{ca_credential}UMask=0077

# Without these the agent sees every process, and says which fields it could not read.
# CAP_NET_ADMIN: processes that live shorter than an interval, and how processes end.
# CAP_BPF and CAP_PERFMON: the same at a lower cost, by a program in the kernel.
# CAP_SYS_PTRACE: the path of every executable, and what every process reads and writes.
CapabilityBoundingSet={capabilities}
AmbientCapabilities={capabilities}

# It watches; it must not be felt.
Nice=5
MemoryMax=128M
TasksMax=16
LimitNOFILE=65536

NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=default
ProcSubset=all
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service{more_calls}
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"
    )
}

/// What systemd would replace, and what would end the line, is taken for what it is.
fn escape(path: &str) -> String {
    path.replace('%', "%%").replace(['\n', '\r'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(rights: Vec<Right>) -> String {
        render(&Unit {
            command: "/usr/local/bin/procession-agent".to_owned(),
            config_file: "/etc/procession/agent_config.json".to_owned(),
            key_file: "/etc/procession/agent.key".to_owned(),
            ca: Some("/etc/100%.pem".into()),
            rights,
        })
    }

    #[test]
    fn has_only_the_rights_that_were_asked_for() {
        assert!(unit(Vec::new()).contains("\nCapabilityBoundingSet=\nAmbientCapabilities=\n"));
        let both = unit(vec![Right::Details, Right::Events]);
        assert!(both.contains("\nAmbientCapabilities=CAP_NET_ADMIN CAP_SYS_PTRACE\n"));
        let events = unit(vec![Right::Events]);
        assert!(events.contains("\nCapabilityBoundingSet=CAP_NET_ADMIN\n"));
        assert!(events.contains("\nSystemCallFilter=@system-service\n"));
        let bpf = unit(vec![Right::Bpf]);
        assert!(bpf.contains("\nAmbientCapabilities=CAP_BPF CAP_PERFMON\n"));
        assert!(bpf.contains("\nSystemCallFilter=@system-service bpf\n"));
    }

    #[test]
    fn the_key_is_never_on_the_command_line() {
        let unit = unit(Vec::new());
        let start = unit.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
        assert!(start.ends_with("--key-file %d/key --ca %d/ca"), "{start}");
        assert!(unit.contains("LoadCredential=ca:/etc/100%%.pem\n"));
    }
}
