//! Secrets: values that never show in logs, and files that hold keys this process made for itself.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

pub use secrecy::{ExposeSecret, SecretSlice, SecretString};

/// Tells apart the unfinished files of two threads that create the same secret.
static UNFINISHED: AtomicU64 = AtomicU64::new(0);

/// The bytes in the file at `path`; where there is none, `make` makes them and the file is created, readable by its
/// owner alone. Any number of processes may do so at once: all of them get the bytes of the one that was first.
pub fn load_or_create(path: &Path, make: impl FnOnce() -> Vec<u8>) -> io::Result<SecretSlice<u8>> {
    match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found,
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = unfinished_path(path);
    let published = write(&unfinished, &make()).and_then(|()| fs::hard_link(&unfinished, path));
    let removed = fs::remove_file(&unfinished);
    match published {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => other?,
    }
    removed?;
    sync_folder(path)?;
    read(path)
}

fn read(path: &Path) -> io::Result<SecretSlice<u8>> {
    let bytes = fs::read(path)?;
    if bytes.is_empty() {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("the secret file {} is empty", path.display())));
    }
    Ok(bytes.into())
}

fn unfinished_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{}.new", process::id(), UNFINISHED.fetch_add(1, Ordering::Relaxed)));
    name.into()
}

/// A secret is complete on disk before it gets its name: a reader never sees half of one, nor one that a crash loses.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_then_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/signing.key");
        let first = load_or_create(&path, || b"first".to_vec()).unwrap();
        let second = load_or_create(&path, || b"second".to_vec()).unwrap();
        assert_eq!((first.expose_secret(), second.expose_secret()), (&b"first"[..], &b"first"[..]));
    }

    #[test]
    fn only_its_owner_may_read_it_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.key");
        load_or_create(&path, || b"bytes".to_vec()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn all_who_create_it_at_once_get_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.key");
        let start = Barrier::new(16);
        let got: Vec<Vec<u8>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..16_u8)
                .map(|n| {
                    let (path, start) = (&path, &start);
                    scope.spawn(move || {
                        start.wait();
                        load_or_create(path, || vec![n; 4096]).unwrap().expose_secret().to_vec()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        assert!(got.iter().all(|bytes| bytes.len() == 4096 && *bytes == got[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_file_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.key");
        File::create(&path).unwrap();
        assert_eq!(load_or_create(&path, || b"new".to_vec()).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_secret_does_not_show_when_printed() {
        assert!(!format!("{:?}", SecretString::from("hunter2")).contains("hunter2"));
    }
}
