//! The service manager's socket. Sending never blocks: a manager that does not read, because it hangs or is being
//! replaced, holds nothing up. The kernel keeps ten unread messages by default; further ones are dropped.

use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    sync::atomic::{AtomicBool, Ordering},
};

use sd_notify::NotifyState;

pub(super) struct Socket {
    /// Not connected, so that it also reaches a manager that has recreated its socket.
    socket: UnixDatagram,
    manager: SocketAddr,
    /// Whether the last message was dropped, which has been logged.
    dropping: AtomicBool,
}

impl Socket {
    /// Opens a socket to the manager at this address, as in `NOTIFY_SOCKET`: a path, or a name after an `@`.
    pub(super) fn to(address: &OsStr) -> io::Result<Self> {
        let manager = match address.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, manager, dropping: AtomicBool::new(false) })
    }

    /// Returns whether the message was accepted. Logs once when messages are dropped, until one is accepted again.
    pub(super) fn notify(&self, states: &[NotifyState<'_>]) -> bool {
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        let sent = self.socket.send_to_addr(message.as_bytes(), &self.manager);
        let said = self.dropping.swap(sent.is_err(), Ordering::Relaxed);
        if let Err(error) = &sent
            && !said
        {
            tracing::warn!(%error, "the service manager does not accept this process's reports");
        }
        sent.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 100];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_manager_that_does_not_read_blocks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let socket = Socket::to(path.as_os_str()).unwrap();
        let mut taken = 0;
        // Where the kernel keeps many messages, the socket's own buffer ends this loop.
        while socket.notify(&[NotifyState::Watchdog, NotifyState::Status("well")]) {
            taken += 1;
        }
        for _ in 0..1_000 {
            assert!(!socket.notify(&[NotifyState::Stopping]));
        }
        for _ in 0..taken {
            assert_eq!(read(&manager), "WATCHDOG=1\nSTATUS=well\n");
        }
        assert!(socket.notify(&[NotifyState::Stopping]));
        assert_eq!(read(&manager), "STOPPING=1\n");
    }

    #[test]
    fn a_manager_may_start_later_and_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = Socket::to(path.as_os_str()).unwrap();
        assert!(!socket.notify(&[NotifyState::Ready]));
        for _ in 0..2 {
            let manager = UnixDatagram::bind(&path).unwrap();
            assert!(socket.notify(&[NotifyState::Ready]));
            assert_eq!(read(&manager), "READY=1\n");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_manager_may_have_a_name_without_a_file() {
        let name = format!("backend-sync-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        assert!(Socket::to(OsStr::new(&format!("@{name}"))).unwrap().notify(&[NotifyState::Ready]));
        assert_eq!(read(&manager), "READY=1\n");
    }
}
