//! Content that is kept by its hash.

use std::fs;
use std::io::Read;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use store::{BlobId, Location, Options, Store};

fn ephemeral() -> Store {
    Store::open(&Options { location: Location::Ephemeral }).unwrap()
}

#[test]
fn a_blob_is_named_by_the_sha256_of_its_content() {
    // The digest of the empty message.  https://csrc.nist.gov/projects/cryptographic-algorithm-validation-program
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(BlobId::of(b"").as_str(), empty);
    assert_eq!(empty.parse::<BlobId>().unwrap(), BlobId::of(b""));
    for wrong in ["", "../../../etc/passwd", &empty[1..], &empty.to_uppercase()] {
        assert!(wrong.parse::<BlobId>().is_err(), "{wrong}");
        assert!(serde_json::from_value::<BlobId>(wrong.into()).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn content_comes_back_as_it_was_put() {
    let store = ephemeral();
    let blobs = store.blobs();
    for content in [&b""[..], b"content", &[7; 300_000]] {
        let id = blobs.put(Bytes::copy_from_slice(content)).await.unwrap();
        assert_eq!(id, BlobId::of(content));
        assert!(blobs.contains(&id));
        assert_eq!(blobs.read(&id).await.unwrap().unwrap(), content);
        assert_eq!(fs::read(blobs.path(&id)).unwrap(), content);
        let mut read = Vec::new();
        blobs.open_file(&id).unwrap().unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, content);
    }
}

#[tokio::test]
async fn what_is_not_there_is_an_answer() {
    let store = ephemeral();
    let (blobs, id) = (store.blobs(), BlobId::of(b"never put"));
    assert!(!blobs.contains(&id));
    assert!(blobs.open_file(&id).unwrap().is_none());
    assert_eq!(blobs.read(&id).await.unwrap(), None);
    assert!(!blobs.delete(&id).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn equal_contents_put_at_once_are_one_blob() {
    let store = ephemeral();
    let puts: Vec<_> = (0..16)
        .map(|n| {
            let blobs = store.blobs().clone();
            tokio::spawn(async move { blobs.put(Bytes::from(vec![n % 2; 10_000])).await })
        })
        .collect();
    for put in puts {
        put.await.unwrap().unwrap();
    }
    let mut expected = vec![BlobId::of(&[0; 10_000]), BlobId::of(&[1; 10_000])];
    expected.sort();
    assert_eq!(store.blobs().list().await.unwrap(), expected);
}

#[tokio::test]
async fn a_deleted_blob_is_gone_and_can_be_put_again() {
    let store = ephemeral();
    let blobs = store.blobs();
    let id = blobs.put(Bytes::from("content")).await.unwrap();
    assert!(blobs.delete(&id).await.unwrap());
    assert!(!blobs.contains(&id));
    assert_eq!(blobs.put(Bytes::from("content")).await.unwrap(), id);
    assert!(blobs.contains(&id));
}

#[tokio::test]
async fn garbage_is_what_is_neither_wanted_nor_new() {
    let store = ephemeral();
    let blobs = store.blobs();
    let hour = Duration::from_secs(3600);
    let put = async |content: &'static str, age| {
        let id = blobs.put(Bytes::from(content)).await.unwrap();
        let file = fs::OpenOptions::new().write(true).open(blobs.path(&id)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        id
    };
    let wanted = put("wanted", 2 * hour).await;
    let unwanted = put("unwanted", 2 * hour).await;
    let new = put("new", Duration::ZERO).await;
    let again = put("put again", 2 * hour).await;
    blobs.put(Bytes::from("put again")).await.unwrap();

    let keep = wanted.clone();
    assert_eq!(blobs.retain(hour, move |id| *id == keep).await.unwrap(), 1);
    let present = [&wanted, &unwanted, &new, &again].map(|id| blobs.contains(id));
    assert_eq!(present, [true, false, true, true]);
}

#[tokio::test]
async fn blobs_are_kept_and_unfinished_ones_are_removed_when_the_store_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { location: Location::Directory(directory.path().to_owned()) };
    let store = Store::open(&options).unwrap();
    let id = store.blobs().put(Bytes::from("content")).await.unwrap();
    drop(store);
    let unfinished = directory.path().join("blobs/tmp/unfinished");
    fs::write(&unfinished, "half").unwrap();

    let store = Store::open(&options).unwrap();
    assert!(!unfinished.exists());
    assert_eq!(store.blobs().list().await.unwrap(), std::slice::from_ref(&id));
    assert_eq!(store.blobs().put(Bytes::from("content")).await.unwrap(), id);
}
