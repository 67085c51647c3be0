//! Programs that take secrets in short options or at fixed places.

use super::{MASK, is_reference};

/// Options of many programs whose value may be a user and a password.
pub(super) const USER_AND_PASSWORD: [&str; 13] = [
    "-u",
    "-auth",
    "-user",
    "--creds",
    "--credentials",
    "--user",
    "--auth",
    "--basic-auth",
    "--proxy-user",
    "--userpwd",
    "--login",
    "--http-auth",
    "--proxy-auth",
];

/// How a value hides a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    /// All of it, whatever it is.
    Whole,
    /// All of it, unless it says where to find the secret; where `counts`, small numbers are no secrets.
    Option { counts: bool },
    /// What is after the first colon; nothing in `1000:1000` or in a URL.
    AfterColon,
    /// What is after the first percent sign.
    AfterPercent,
    /// What is after the first comma.
    AfterComma,
    /// What is between the first slash and the at sign.
    AfterSlash,
    /// What is after `pass:`.
    AfterPass,
}

impl Secret {
    /// Says whether there was one.
    pub(super) fn mask(self, value: &mut String) -> bool {
        let masked = match self {
            Self::Whole => Some(MASK.to_owned()),
            Self::Option { counts } => {
                let number = counts && value.len() <= 2 && value.bytes().all(|byte| byte.is_ascii_digit());
                (!is_reference(value) && !number).then(|| after_pass(value).unwrap_or_else(|| MASK.to_owned()))
            }
            Self::AfterColon => after_colon(value),
            Self::AfterPercent => after(value, '%'),
            Self::AfterComma => after(value, ','),
            Self::AfterSlash => after_slash(value),
            Self::AfterPass => after_pass(value),
        };
        let found = masked.is_some();
        if let Some(masked) = masked {
            *value = masked;
        }
        found
    }
}

fn after(value: &str, sign: char) -> Option<String> {
    let (kept, secret) = value.split_once(sign)?;
    (!secret.is_empty()).then(|| format!("{kept}{sign}{MASK}"))
}

fn after_colon(value: &str) -> Option<String> {
    let (user, secret) = value.split_once(':')?;
    let group = secret.bytes().all(|byte| byte.is_ascii_digit()) && user.bytes().all(|byte| byte.is_ascii_digit());
    (!secret.starts_with("//") && !group && !secret.is_empty()).then(|| format!("{user}:{MASK}"))
}

fn after_slash(value: &str) -> Option<String> {
    let (user, rest) = value.split_once('/')?;
    if user.is_empty() || user.contains(['.', '@']) {
        return None;
    }
    let at = rest.rfind('@').unwrap_or(rest.len());
    (at > 0).then(|| format!("{user}/{MASK}{}", &rest[at..]))
}

fn after_pass(value: &str) -> Option<String> {
    value.strip_prefix("pass:").map(|_| format!("pass:{MASK}"))
}

/// What is known of some programs.
#[derive(Debug)]
pub(super) struct Program {
    names: &'static [&'static str],
    /// Options whose value follows as the next word, or at once.
    options: &'static [(&'static str, Secret)],
    /// Options whose value follows at once, and never as the next word.
    attached: &'static [(&'static str, Secret)],
    /// A word after which the n-th next one is secret: `htpasswd -b file user SECRET`.
    positions: &'static [(&'static str, usize, Secret)],
    /// Only where `login` is among the words.
    pub(super) only_with_login: bool,
    /// `-u` means another thing here.
    pub(super) user_is_no_password: bool,
}

const NONE: Program = Program {
    names: &[],
    options: &[],
    attached: &[],
    positions: &[],
    only_with_login: false,
    user_is_no_password: false,
};
const W: Secret = Secret::Option { counts: false };

const PROGRAMS: &[Program] = &[
    Program {
        names: &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlshow",
            "mysqlcheck",
            "mysqlslap",
            "mysqlbinlog",
            "mariadb",
            "mariadb-dump",
            "mariadb-admin",
            "mysqlpump",
            "xtrabackup",
            "mydumper",
            "mytop",
        ],
        attached: &[("-p", W)],
        user_is_no_password: true,
        ..NONE
    },
    Program { names: &["sshpass"], options: &[("-p", W)], ..NONE },
    Program { names: &["redis-cli", "valkey-cli", "keydb-cli"], options: &[("-a", W)], ..NONE },
    Program {
        names: &[
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
            "mongostat",
            "mongotop",
        ],
        options: &[("-p", W)],
        user_is_no_password: true,
        ..NONE
    },
    Program {
        names: &["curl", "wget", "wrk", "ab", "hey", "oha", "aria2c"],
        options: &[
            ("--oauth2-bearer", W),
            ("-U", Secret::AfterColon),
            ("-b", W),
            ("--cookie", W),
            ("-u", Secret::AfterColon),
            ("-A", Secret::AfterColon),
            ("-P", Secret::AfterColon),
        ],
        ..NONE
    },
    Program { names: &["http", "https", "xh"], options: &[("-a", Secret::AfterColon)], ..NONE },
    Program {
        names: &["ldapsearch", "ldapmodify", "ldapadd", "ldapdelete", "ldapwhoami", "ldapcompare", "ldapmodrdn"],
        options: &[("-w", W)],
        ..NONE
    },
    Program { names: &["ldappasswd"], options: &[("-w", W), ("-s", W), ("-a", W)], ..NONE },
    Program {
        names: &["smbclient", "rpcclient", "smbget", "smbmap", "wmic", "net", "winexe", "smbcacls"],
        options: &[("-U", Secret::AfterPercent), ("--user", Secret::AfterPercent), ("-p", W)],
        ..NONE
    },
    Program { names: &["sqlcmd", "bcp", "osql", "isql", "tsql", "dtexec"], options: &[("-P", W)], ..NONE },
    Program {
        names: &["sqlplus", "exp", "imp", "expdp", "impdp", "sqlldr", "rman"],
        positions: &[
            ("", 1, Secret::AfterSlash),
            ("-S", 1, Secret::AfterSlash),
            ("-s", 1, Secret::AfterSlash),
            ("-L", 1, Secret::AfterSlash),
        ],
        ..NONE
    },
    Program { names: &["lftp"], options: &[("-u", Secret::AfterComma)], ..NONE },
    Program {
        names: &["ncftp", "ncftpget", "ncftpput", "ncftpls"],
        options: &[("-p", W)],
        user_is_no_password: true,
        ..NONE
    },
    Program {
        names: &["openssl"],
        options: &[("-k", W), ("-K", W), ("-passin", Secret::AfterPass), ("-passout", Secret::AfterPass)],
        ..NONE
    },
    Program { names: &["zip", "unzip"], options: &[("-P", W)], user_is_no_password: true, ..NONE },
    Program { names: &["7z", "7za", "7zr", "7zz", "rar", "unrar"], attached: &[("-p", W), ("-hp", W)], ..NONE },
    Program {
        names: &["docker", "podman", "nerdctl", "buildah", "az", "oc", "helm", "skopeo", "crane", "cf"],
        options: &[("-p", W)],
        only_with_login: true,
        user_is_no_password: true,
        ..NONE
    },
    Program {
        names: &["xfreerdp", "wfreerdp", "rdesktop", "psexec", "psexec64"],
        options: &[("-p", W)],
        user_is_no_password: true,
        ..NONE
    },
    Program { names: &["plink", "pscp", "psftp", "putty"], options: &[("-pw", W)], ..NONE },
    Program {
        names: &[
            "snmpget",
            "snmpwalk",
            "snmpset",
            "snmpbulkwalk",
            "snmpgetnext",
            "snmptrap",
            "snmptable",
            "snmpbulkget",
        ],
        options: &[("-c", W), ("-A", W), ("-X", W)],
        ..NONE
    },
    Program { names: &["ipmitool", "ipmi-sensors", "ipmipower"], options: &[("-P", W), ("-p", W)], ..NONE },
    Program {
        names: &["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"],
        options: &[("-P", W)],
        user_is_no_password: true,
        ..NONE
    },
    Program {
        names: &["rabbitmqadmin", "cqlsh", "beeline", "cypher-shell", "ksql", "impala-shell", "nodetool"],
        options: &[("-p", W), ("-pw", W)],
        user_is_no_password: true,
        ..NONE
    },
    Program {
        names: &["rabbitmqctl"],
        positions: &[
            ("add_user", 2, Secret::Whole),
            ("change_password", 2, Secret::Whole),
            ("authenticate_user", 2, Secret::Whole),
        ],
        ..NONE
    },
    Program {
        names: &["htpasswd"],
        positions: &[
            ("-b", 3, Secret::Whole),
            ("-cb", 3, Secret::Whole),
            ("-bc", 3, Secret::Whole),
            ("-bB", 3, Secret::Whole),
            ("-nb", 2, Secret::Whole),
            ("-nbB", 2, Secret::Whole),
        ],
        ..NONE
    },
    Program { names: &["useradd", "usermod"], options: &[("-p", W)], user_is_no_password: true, ..NONE },
    Program { names: &["wpa_passphrase"], positions: &[("", 2, Secret::Whole)], ..NONE },
    Program { names: &["ssh-keygen"], options: &[("-N", W), ("-P", W)], user_is_no_password: true, ..NONE },
    Program {
        names: &["nmcli", "netsh", "sc", "iwctl"],
        positions: &[
            ("password", 1, Secret::Whole),
            ("wifi-sec.psk", 1, Secret::Whole),
            ("802-11-wireless-security.psk", 1, Secret::Whole),
            ("password=", 1, Secret::Whole),
            ("--passphrase", 1, Secret::Whole),
        ],
        ..NONE
    },
    Program { names: &["mc"], positions: &[("set", 4, Secret::Whole)], ..NONE },
    Program { names: &["vault"], positions: &[("login", 1, Secret::Option { counts: false })], ..NONE },
    Program { names: &["influx"], options: &[("-t", W)], user_is_no_password: true, ..NONE },
    Program { names: &["x11vnc"], options: &[("-passwd", W), ("-viewpasswd", W)], ..NONE },
    Program { names: &["schtasks"], options: &[("/rp", W), ("/RP", W)], ..NONE },
    Program { names: &["composer"], positions: &[("http-basic", 2, Secret::Whole)], ..NONE },
    Program {
        names: &[
            "setpriv",
            "chroot",
            "unshare",
            "gosu",
            "su-exec",
            "systemd-run",
            "chown",
            "ps",
            "top",
            "pgrep",
            "pkill",
            "sudo",
            "kubectl",
            "id",
            "crontab",
        ],
        user_is_no_password: true,
        ..NONE
    },
    Program {
        names: &["docker-compose", "nspawn", "systemd-nspawn", "bwrap", "crun", "runc", "ctr"],
        user_is_no_password: true,
        ..NONE
    },
];

impl Program {
    /// The program that this word starts, by the last part of its path.
    pub(super) fn named(word: &str) -> Option<&'static Self> {
        let name = word.rsplit(['/', '\\']).next()?;
        let name = name.strip_suffix(".exe").unwrap_or(name);
        PROGRAMS.iter().find(|program| program.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }

    /// Whether the word is one of the options; with the length of the option itself.
    pub(super) fn option(&self, word: &str) -> Option<(Secret, usize)> {
        let next = self.options.iter().find(|(option, _)| word == *option);
        let attached = || {
            let short = self.options.iter().filter(|(option, _)| option.len() == 2 && option.starts_with('-'));
            let all = self.attached.iter().chain(short);
            all.filter(|(option, _)| word.len() > option.len() && word.starts_with(option))
                .max_by_key(|(option, _)| option.len())
        };
        next.or_else(attached).map(|(option, secret)| (*secret, option.len()))
    }

    /// Whether the word after `before` stands where this program has a secret. An empty marker is the program itself.
    pub(super) fn positional(&self, before: &[String], word: &str) -> Option<Secret> {
        if word.starts_with('-') {
            return None;
        }
        let found = self.positions.iter().find(|(marker, distance, _)| {
            let marked = before.len().checked_sub(*distance).and_then(|index| before.get(index));
            marked.is_some_and(|marked| {
                if marker.is_empty() {
                    Self::named(marked).is_some_and(|program| std::ptr::eq(program, self))
                } else {
                    marked == marker || marked.starts_with(&format!("{marker}."))
                }
            })
        });
        found.map(|(_, _, secret)| *secret)
    }
}
