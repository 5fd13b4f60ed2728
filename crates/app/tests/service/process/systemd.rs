//! What a service manager such as systemd offers: notification of start and stop, and inherited sockets.

use crate::prelude::*;
use rustix::process::Signal;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

#[test]
fn notify_socket_receives_start_and_stop() {
    let folder = fresh_folder();
    let manager = UnixDatagram::bind(folder.join("notify")).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let received = || {
        let mut buffer = [0; 100];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    let setup = Backend::Sqlite.service().set("NOTIFY_SOCKET", folder.join("notify").to_str().unwrap());
    let service = setup.start();
    assert_eq!(received(), "READY=1");
    service.get("/health").expect(200);
    service.signal(Signal::TERM);
    assert_eq!(received(), "STOPPING=1");
    assert_eq!(service.wait().code(), Some(0));
    // A manager that is gone is no reason to stop.
    drop(manager);
    let service = service.again().set("NOTIFY_SOCKET", folder.join("notify").to_str().unwrap()).start();
    let warned = |event: &Value| event["message"].as_str().is_some_and(|text| text.contains("NOTIFY_SOCKET"));
    service.log.wait_for(1, warned);
    service.stop();
}

/// Starts the service with this descriptor as its third, as sd_listen_fds(3) describes.
fn with_descriptor(descriptor: OwnedFd) -> ServiceBuilder {
    let activate = "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$";
    Backend::Sqlite.service().run_before(activate).with_input(descriptor)
}

#[test]
fn inherited_socket_is_served_in_place_of_host_and_port() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let service = with_descriptor(listener.into()).set("HOST", "192.0.2.1").start();
    assert_eq!(service.address, address);
    service.get("/health").expect(200);
    let account = service.account();
    let link = service.wait_for_mails(&account.email, 1)[0].link();
    assert!(link.contains(&format!(":{}/account/verify", address.port())), "{link}");
    service.stop();
    let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let ended = with_descriptor(one.into()).run();
    assert!(ended.refusal().contains("LISTEN_FDS"), "{ended:?}");
}
