//! `/tmp` on the machine's disk: a small file system of each sandbox's own, in a file that has no name.
//!
//! On Lambda what is in `/tmp` is not memory, and it has a size that holds. A quota would take a file system that has
//! them; a loop device works on any. The file is deleted before it is used and the device lets go of it with its last
//! mount, so that nothing is left when everything here is killed. What a function writes passes through the page
//! cache: its group is charged for that, but the kernel takes it back before it kills.

mod image;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};

use self::image::{BLOCK_BYTES, Image};
use super::{mounts, sys};

/// Volumes that wait ready, of each size that was asked for lately: making one takes a millisecond or two.
const SPARE: usize = 2;
/// How many sizes are remembered.
const SIZES: usize = 4;
/// A device that was free may be another program's a moment later.
const ATTEMPTS: u32 = 64;
/// Loop devices, in Documentation/admin-guide/devices.txt.
const LOOP_MAJOR: u32 = 7;

/// Makes volumes, and has some ready.
#[derive(Debug)]
pub(super) struct Volumes {
    /// Where the files are, for as long as they are.
    directory: OwnedFd,
    control: OwnedFd,
    /// Device files of the launcher's own: in a container those of a device that is new do not appear.
    devices: OwnedFd,
    owner: u32,
    sizes: Vec<Size>,
}

/// A size that was asked for.
#[derive(Debug)]
struct Size {
    mib: u32,
    image: Image,
    spare: Vec<OwnedFd>,
}

impl Volumes {
    /// Finds out whether it works here, by making one.
    pub(super) fn prepare(directory: OwnedFd, owner: u32) -> Result<Self, String> {
        let control = rustix::fs::open("/dev/loop-control", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| format!("open /dev/loop-control: {error}"))?;
        let devices = mounts::tmpfs(1, "0700", 0, MountAttrFlags::MOUNT_ATTR_NOSUID)
            .map_err(|error| format!("make a place for device files: {error}"))?;
        let mut volumes = Self { directory, control, devices: devices.mount, owner, sizes: Vec::new() };
        // Kept, for the first sandbox.
        let first = volumes.take(crate::sandboxes::TMP_MIB_INITIAL)?;
        volumes.sizes[0].spare.push(first);
        Ok(volumes)
    }

    /// A mount of a new file system with `size_mib` of room, not attached anywhere.
    pub(super) fn take(&mut self, size_mib: u32) -> Result<OwnedFd, String> {
        let known = self.sizes.iter().position(|size| size.mib == size_mib);
        let size = match known {
            Some(at) => self.sizes.remove(at),
            None => Size { mib: size_mib, image: Image::new(size_mib, self.owner), spare: Vec::new() },
        };
        // The one that sandboxes are made with stays first; the others follow as they were last asked for.
        let at = known.unwrap_or(self.sizes.len()).min(1);
        self.sizes.insert(at, size);
        self.sizes.truncate(SIZES);
        match self.sizes[at].spare.pop() {
            Some(spare) => Ok(spare),
            None => self.make(at),
        }
    }

    /// Makes one more ahead of need; false when there are enough.
    pub(super) fn prepare_one(&mut self) -> bool {
        let Some(short) = self.sizes.iter().position(|size| size.spare.len() < SPARE) else { return false };
        match self.make(short) {
            Ok(volume) => {
                self.sizes[short].spare.push(volume);
                true
            }
            // Whoever needs one will be told why.
            Err(_) => false,
        }
    }

    fn make(&self, size: usize) -> Result<OwnedFd, String> {
        let image = &self.sizes[size].image;
        let file = self.file(image).map_err(|error| format!("make a file for /tmp: {error}"))?;
        let (number, device) = self.attach(&file).map_err(|error| format!("make a loop device: {error}"))?;
        let mounted = self.mount(number).map_err(|error| format!("mount a loop device: {error}"));
        // Its name was for mounting; those of all devices would fill the place.
        let _ = rustix::fs::unlinkat(&self.devices, number.to_string(), AtFlags::empty());
        // Not before: the device lets go of its file when nobody has it open.
        drop(device);
        mounted
    }

    fn file(&self, image: &Image) -> io::Result<OwnedFd> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, ".", flags, Mode::from_raw_mode(0o600))?;
        rustix::fs::ftruncate(&file, image.bytes())?;
        for (at, bytes) in image.parts() {
            let mut written = 0;
            while written < bytes.len() {
                written += rustix::io::pwrite(&file, &bytes[written..], at + written as u64)?;
            }
        }
        Ok(file)
    }

    fn attach(&self, file: &OwnedFd) -> io::Result<(u32, OwnedFd)> {
        for _ in 0..ATTEMPTS {
            let number = sys::free_loop_device(&self.control)?;
            let device = self.device(number)?;
            match sys::configure_loop_device(&device, file, BLOCK_BYTES) {
                Ok(()) => return Ok((number, device)),
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Errno::BUSY.into())
    }

    fn device(&self, number: u32) -> io::Result<OwnedFd> {
        let name = number.to_string();
        let device = rustix::fs::makedev(LOOP_MAJOR, number);
        match rustix::fs::mknodat(
            &self.devices,
            &name,
            FileType::BlockDevice,
            Mode::from_raw_mode(0o600),
            device,
        ) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(rustix::fs::openat(&self.devices, &name, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn mount(&self, number: u32) -> io::Result<OwnedFd> {
        use std::os::fd::AsRawFd as _;
        let context = fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC)?;
        let source = format!("/proc/self/fd/{}/{number}", self.devices.as_raw_fd());
        fsconfig_set_string(context.as_fd(), "source", source)?;
        // It need not survive the machine; what is deleted in it is given back to the disk.
        for flag in ["nobarrier", "discard", "noinit_itable"] {
            fsconfig_set_flag(context.as_fd(), flag)?;
        }
        fsconfig_create(context.as_fd())?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOATIME;
        Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    /// As root, where there are loop devices.
    #[test]
    fn no_device_file_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let opened =
            rustix::fs::open(directory.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let Ok(mut volumes) = Volumes::prepare(opened, 0) else { return };
        let _taken: Vec<_> = (0..3).map(|_| volumes.take(8).unwrap()).collect();
        let names = std::fs::read_dir(format!("/proc/self/fd/{}", volumes.devices.as_raw_fd())).unwrap();
        assert_eq!(names.count(), 0);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
