//! What the daemons' tests share: clients of their APIs, and certificates.

use super::Folder;
use euicc_push::io::{
    clock, file,
    http_client::{Client, ClientLimits, Reach},
    pki::{Authority, Validity},
};
use std::time::Duration;

/// A client of the API behind a UNIX socket of the folder.
pub fn client(folder: &Folder, socket: &str) -> Client {
    let limits = ClientLimits { timeout: Duration::from_secs(30), response: 1 << 20, reach: Reach::Anywhere };
    let url = format!("unix:{}", folder.path(socket).display());
    Client::new(url.parse().expect("a URL"), None, limits).expect("a client")
}

/// The SM-SR's certificate and its authority: `admin.pem`, `admin-key.pem`, `server-ca.pem`.
pub fn certify(folder: &Folder) {
    let validity = Validity { now: clock::now().utc, duration: Duration::from_secs(86_400) };
    let (authority, _) = Authority::create("servers", validity).expect("an authority");
    let issued = authority.issue_server(&["127.0.0.1".to_string()], validity).expect("a certificate");
    let write = |name: &str, octets: &[u8]| {
        file::write_atomic(&folder.path(name), octets, file::Access::Owner).expect("written");
    };
    write("admin.pem", issued.certificate_pem.as_bytes());
    write("admin-key.pem", issued.key_pem.expose());
    write("server-ca.pem", authority.certificate_pem().as_bytes());
}

/// A configuration of `euicc-smsr` on the certificates of [`certify`]: terminals are served at `admin` and told `address`.
pub fn smsr_config(folder: &Folder, admin: &str, address: &str) -> String {
    let path = |name: &str| folder.path(name).display().to_string();
    format!(
        "[smsr]\nid = \"sm-sr.test\"\nlisten = [\"unix:{api}\"]\ndatabase = \"{database}\"\n\
         [smsr.admin]\nlisten = [\"{admin}\"]\ncertificate-file = \"{certificate}\"\nkey-file = \"{key}\"\n\
         client-ca-file = \"{ca}\"\n[smsr.gateway]\nurl = \"unix:{gateway}\"\n\
         [smsr.enrolment]\nca-certificate-file = \"{ca}\"\nca-key-file = \"{ca_key}\"\naddress = \"{address}\"\n\
         server-ca-file = \"{server_ca}\"\n",
        api = path("smsr.sock"),
        database = path("smsr.sqlite"),
        certificate = path("admin.pem"),
        key = path("admin-key.pem"),
        ca = path("terminals-ca.pem"),
        ca_key = path("terminals-ca-key.pem"),
        gateway = path("gateway.sock"),
        server_ca = path("server-ca.pem"),
    )
}
