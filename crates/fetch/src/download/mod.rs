//! One file from the network, believing nobody: a transfer that breaks off is continued, and what
//! arrives is what its SHA-256 says or is thrown away.

#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tinderbox_base::units::bytes;
use tinderbox_base::{Error, Fault, Result, env, files};
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use crate::{News, Remote, Watch, check, exact};

/// How long a server is waited for.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the next byte arrives.
    pub idle: Duration,
    /// Before each new attempt.
    pub pauses: Vec<Duration>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            idle: Duration::from_secs(30),
            pauses: [1, 3, 10].map(Duration::from_secs).to_vec(),
        }
    }
}

/// Bytes after which an attempt counts as progress: the next failure is a first one again.
const PROGRESS: u64 = 1 << 20;

/// What downloads.
pub(super) struct Client {
    agent: Agent,
    mirror: Option<String>,
    patience: Patience,
}

/// Why an attempt ended.
enum Stop {
    /// Another attempt at this address may do better.
    Broken(String),
    /// This address does not have the file.
    Refused(String),
    /// This machine cannot go on.
    Here(Error),
}

impl Client {
    pub(super) fn new(mirror: Option<&str>, patience: Patience) -> Result<Self> {
        let is_web = |url: &&str| !url.starts_with("http://") && !url.starts_with("https://");
        if let Some(mirror) = mirror.filter(is_web) {
            return Err(Error::usage(format!("`{mirror}` is no address of a mirror"))
                .hint("it starts with `https://` or `http://`; `--from FOLDER` takes files of this machine"));
        }
        let tls = match env::var("SSL_CERT_FILE") {
            Some(path) => TlsConfig::builder().root_certs(root_certificates(&path)?).build(),
            None => TlsConfig::default(), // Mozilla's
        };
        // The proxy of the environment's usual variables is ureq's default.
        let config = Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("tinderbox/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .timeout_resolve(Some(patience.connect))
            .timeout_connect(Some(patience.connect))
            .timeout_recv_response(Some(patience.idle))
            .timeout_per_read(Some(patience.idle))
            .build();
        let mirror = mirror.map(|mirror| mirror.trim_end_matches('/').to_owned());
        Ok(Self { agent: config.new_agent(), mirror, patience })
    }

    /// Gets a file of the data set `set`, continuing what an earlier call left in `<path>.part`.
    pub(super) fn get(&self, set: &str, file: &Remote, path: &Path, watch: Watch) -> Result<()> {
        watch(News::Begin(&format!("downloading {}", file.name()), file.size));
        if path.is_file() {
            match check(file, path) {
                Ok(()) => return Ok(()),
                Err(error) if error.fault == Fault::Input => files::remove(path)?,
                Err(error) => return Err(error),
            }
        }
        let part = PathBuf::from(format!("{}.part", path.display()));
        let mut failures = Vec::new();
        for address in self.addresses(set, file) {
            match self.get_from(&address, file, &part, watch) {
                Ok(()) => return files::rename(&part, path),
                Err(Stop::Here(error)) => return Err(error),
                Err(Stop::Broken(cause) | Stop::Refused(cause)) => {
                    watch(News::Say(&format!("nothing from {address}: {cause}")));
                    failures.push((address, cause));
                }
            }
        }
        Err(failed(set, file, &failures, &part))
    }

    /// The mirror's first, in a folder of the set's name or without.
    fn addresses(&self, set: &str, file: &Remote) -> Vec<String> {
        let name = file.name();
        let mirrored = self.mirror.iter();
        let mirrored =
            mirrored.flat_map(|base| [format!("{base}/{set}/{name}"), format!("{base}/{name}")]);
        mirrored.chain(file.addresses.iter().cloned()).collect()
    }

    /// Gets a file from one address, in several attempts, and checks it.
    fn get_from(
        &self,
        address: &str,
        file: &Remote,
        part: &Path,
        watch: Watch,
    ) -> std::result::Result<(), Stop> {
        let mut was_begun = size_of(part) > 0;
        let mut failures = 0;
        loop {
            let before = size_of(part);
            match self.attempt(address, file, part, watch) {
                Ok(()) => match check(file, part) {
                    Ok(()) => return Ok(()),
                    Err(error) if error.fault == Fault::Input => {
                        files::remove(part).map_err(Stop::Here)?;
                        // What an earlier fetch had left may have been wrong: once more, from the start.
                        if !std::mem::take(&mut was_begun) {
                            return Err(Stop::Refused(error.cause.unwrap_or_default()));
                        }
                    }
                    Err(error) => return Err(Stop::Here(error)),
                },
                Err(Stop::Broken(cause)) => {
                    if size_of(part) >= before + PROGRESS {
                        failures = 0;
                    }
                    let Some(&pause) = self.patience.pauses.get(failures) else {
                        return Err(Stop::Broken(cause));
                    };
                    failures += 1;
                    let wait = pause.as_secs_f64();
                    watch(News::Say(&format!("{cause}; once more in {wait:.0} s")));
                    env::sleep(pause);
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    /// One request. Afterwards `part` has all bytes of the file, right or wrong.
    fn attempt(
        &self,
        address: &str,
        file: &Remote,
        part: &Path,
        watch: Watch,
    ) -> std::result::Result<(), Stop> {
        if size_of(part) > file.size {
            files::remove(part).map_err(Stop::Here)?;
        }
        let have = size_of(part);
        if have == file.size {
            return Ok(());
        }
        let mut request = self.agent.get(address).header(header::ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let response = request.call().map_err(|error| stop(&error))?;
        let first = start(&response, have, file.size)?;
        if let Some(promised) = response.body().content_length()
            && promised != file.size - first
        {
            // Most often a page that says something to people.
            return Err(Stop::Refused(format!(
                "the server has {} where {} are missing",
                exact(promised),
                exact(file.size - first)
            )));
        }
        if first < have {
            files::remove(part).map_err(Stop::Here)?;
        }
        receive(response, part, [first, file.size], watch)
    }
}

/// From which byte on the server sends.
fn start(response: &Response<Body>, have: u64, size: u64) -> std::result::Result<u64, Stop> {
    let status = response.status();
    match status {
        StatusCode::OK => Ok(0), // from the start, whatever was asked for
        StatusCode::PARTIAL_CONTENT => {
            let range = response.headers().get(header::CONTENT_RANGE);
            let range = range.and_then(|value| value.to_str().ok()).unwrap_or_default();
            if range.starts_with(&format!("bytes {have}-")) {
                return Ok(have);
            }
            Err(Stop::Refused(format!("asked for byte {have} of {size}, it sends `{range}`")))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Err(Stop::Broken(format!("the server says {status}")))
        }
        _ if status.is_server_error() => Err(Stop::Broken(format!("the server says {status}"))),
        _ => Err(Stop::Refused(format!("the server says {status}"))),
    }
}

/// Appends what arrives to `part`, never more than belongs to the file.
fn receive(
    response: Response<Body>,
    part: &Path,
    [start, size]: [u64; 2],
    watch: Watch,
) -> std::result::Result<(), Stop> {
    let write_error = |cause: &std::io::Error| Stop::Here(files::write_error(part, cause));
    let mut target = files::extend(part).map_err(Stop::Here)?;
    let mut source = response.into_body().into_reader().take(size - start);
    let mut buffer = vec![0; 1 << 16];
    let mut done = start;
    while done < size {
        watch(News::At(done));
        let read = match source.read(&mut buffer) {
            Ok(0) => {
                let cause = format!("the transfer ended after {} of {}", bytes(done), bytes(size));
                return Err(Stop::Broken(cause));
            }
            Ok(read) => read,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
            Err(cause) => {
                return Err(Stop::Broken(format!(
                    "the transfer broke off after {} of {}: {}",
                    bytes(done),
                    bytes(size),
                    files::describe(&cause)
                )));
            }
        };
        target.write_all(&buffer[..read]).map_err(|cause| write_error(&cause))?;
        done += read as u64;
    }
    watch(News::At(done));
    target.sync_all().map_err(|cause| write_error(&cause))
}

/// The authorities that are believed in a network whose proxy looks into what is encrypted.
fn root_certificates(path: &str) -> Result<RootCerts> {
    let wrong = |cause: &str| {
        Error::environment(format!("cannot use `{path}`, which `SSL_CERT_FILE` names"))
            .cause(cause)
            .hint("it holds certificates in PEM form; without the variable Mozilla's are used")
    };
    let bytes = files::read(Path::new(path))
        .map_err(|error| wrong(&error.cause.unwrap_or(error.message)))?;
    let items = parse_pem(&bytes).filter_map(std::result::Result::ok);
    let certificates: Vec<Certificate<'static>> = items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(wrong("there is no certificate in it"));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

fn size_of(path: &Path) -> u64 {
    files::size(path).unwrap_or(0)
}

/// What an error of a request means.
fn stop(error: &ureq::Error) -> Stop {
    use ureq::Error as Of;
    let text = match error {
        Of::Io(cause) => files::describe(cause),
        Of::HostNotFound => "the name of the server is not known here".to_owned(),
        Of::Timeout(_) => "the server does not answer".to_owned(),
        Of::ConnectionFailed => "no connection".to_owned(),
        other => other.to_string(),
    };
    let again = match error {
        Of::Io(cause) => matches!(
            cause.kind(),
            ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::TimedOut
                | ErrorKind::UnexpectedEof
        ),
        Of::Timeout(_) | Of::Protocol(_) => true,
        _ => false, // no network, no such server
    };
    if again { Stop::Broken(text) } else { Stop::Refused(text) }
}

/// What to say when no address had the file.
fn failed(set: &str, file: &Remote, failures: &[(String, String)], part: &Path) -> Error {
    let causes: Vec<String> =
        failures.iter().map(|(address, cause)| format!("{address}: {cause}")).collect();
    let kept = match size_of(part) {
        0 => String::new(),
        size => format!("{} of it are kept: the same command goes on from there; ", bytes(size)),
    };
    Error::environment(format!("cannot download `{}`", file.name()))
        .cause(causes.join("; "))
        .hint(format!(
            "{kept}without a network, download it elsewhere: `tinderbox datasets fetch {set} --from FOLDER` takes it from there; `HTTPS_PROXY` names a proxy, `--mirror URL` another server"
        ))
}
