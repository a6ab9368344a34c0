// libaio for Swift, and the kernel interfaces that Swift cannot import: constants behind macros,
// variadic calls, and structures that glibc declares only with feature macros. (Feature macros must
// not be defined here: the module would then disagree with Glibc's own about fd_set.)
#ifndef CAIO_H
#define CAIO_H

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

_Static_assert(sizeof(struct iocb) == 64, "iocb layout");
_Static_assert(sizeof(struct io_event) == 32, "io_event layout");

// O_DIRECT is a macro that Glibc's Swift module does not export.
static const int caio_o_direct = __O_DIRECT;
// O_PATH needs a feature macro in <fcntl.h>; its value is kernel ABI.
static const int caio_o_path = 010000000;

// The opcodes are enum cases behind a C typedef; RWF_NOWAIT and other flags are not used.
static inline void caio_prepare_read(struct iocb *_Nonnull iocb, int fd, void *_Nonnull buffer,
                                     size_t byte_count, long long byte_offset) {
  io_prep_pread(iocb, fd, buffer, byte_count, byte_offset);
}

static inline void caio_prepare_write(struct iocb *_Nonnull iocb, int fd, void *_Nonnull buffer,
                                      size_t byte_count, long long byte_offset) {
  io_prep_pwrite(iocb, fd, buffer, byte_count, byte_offset);
}

static inline void caio_prepare_fdatasync(struct iocb *_Nonnull iocb, int fd) {
  io_prep_fdsync(iocb, fd);
}

// `data` is a pointer in the header; here it contains a plain tag.
static inline void caio_set_tag(struct iocb *_Nonnull iocb, uint64_t tag) {
  iocb->data = (void *)(uintptr_t)tag;
}

static inline uint64_t caio_tag(const struct io_event *_Nonnull event) {
  return (uint64_t)(uintptr_t)event->data;
}

// `res` is unsigned in the header but contains a negative errno on failure.
static inline int64_t caio_result(const struct io_event *_Nonnull event) {
  return (int64_t)(long)event->res;
}

// ioctl is variadic and cannot be imported; the request numbers are macros.
static inline int caio_device_byte_count(int fd, uint64_t *_Nonnull byte_count) {
  return ioctl(fd, BLKGETSIZE64, byte_count);
}

static inline int caio_logical_block_byte_count(int fd, int *_Nonnull byte_count) {
  return ioctl(fd, BLKSSZGET, byte_count);
}

static inline int caio_device_read_only(int fd, int *_Nonnull read_only) {
  return ioctl(fd, BLKROGET, read_only);
}

// A loop device as reported by LOOP_GET_STATUS64: device and inode number of the backing file;
// `block_device` is the backing block device's own number, or 0 for any other file; `byte_offset`
// is the start in the backing file; `byte_count` is the limit on the size, or 0 for the rest of the
// file.
struct caio_loop {
  uint64_t device;
  uint64_t inode;
  uint64_t block_device;
  uint64_t byte_offset;
  uint64_t byte_count;
};

static inline int caio_loop_status(int fd, struct caio_loop *_Nonnull out) {
  struct loop_info64 info;
  int result = ioctl(fd, LOOP_GET_STATUS64, &info);
  if (result == 0)
    *out = (struct caio_loop){.device = info.lo_device,
                              .inode = info.lo_inode,
                              .block_device = info.lo_rdevice,
                              .byte_offset = info.lo_offset,
                              .byte_count = info.lo_sizelimit};
  return result;
}

// Extended attributes: Glibc's Swift module omits <sys/xattr.h>.
static inline ssize_t caio_attribute_names(int fd, char *_Nullable names, size_t byte_count) {
  return flistxattr(fd, names, byte_count);
}

static inline ssize_t caio_attribute(int fd, const char *_Nonnull name, void *_Nullable value,
                                     size_t byte_count) {
  return fgetxattr(fd, name, value, byte_count);
}

static inline int caio_set_attribute(int fd, const char *_Nonnull name, const void *_Nonnull value,
                                     size_t byte_count) {
  return fsetxattr(fd, name, value, byte_count, 0);
}

static inline int caio_remove_attribute(int fd, const char *_Nonnull name) {
  return fremovexattr(fd, name);
}

// Prefetches memory that will soon be read and written; Swift has no prefetch.
static inline void caio_expect(const void *_Nonnull memory) { __builtin_prefetch(memory, 1); }

// F_OFD_GETLK needs a feature macro in <fcntl.h>; its value is kernel ABI
// (include/uapi/asm-generic/fcntl.h). Returns 1 if another lock conflicts with a write lock on the
// whole file, 0 if none does, -1 with errno on failure.
static inline int caio_ofd_write_lock_conflicts(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
  int result = fcntl(fd, 36 /* F_OFD_GETLK */, &lock);
  if (result < 0) return -1;
  return lock.l_type == F_UNLCK ? 0 : 1;
}

// statx by number: its structure is only in headers that clash with Glibc's module. The layout is
// kernel ABI (include/uapi/linux/stat.h); the direct-I/O fields exist since Linux 6.1.
struct caio_statx {
  uint32_t mask;
  uint32_t block_size;
  uint64_t attributes;
  uint32_t link_count;
  uint32_t user_id;
  uint32_t group_id;
  uint16_t mode;
  uint16_t spare0;
  uint64_t inode;
  uint64_t byte_count;
  uint64_t block_count_512;
  uint64_t attributes_mask;
  int64_t access_seconds;
  uint32_t access_nanoseconds;
  int32_t reserved0;
  int64_t birth_seconds;
  uint32_t birth_nanoseconds;
  int32_t reserved1;
  int64_t change_seconds;
  uint32_t change_nanoseconds;
  int32_t reserved2;
  int64_t modification_seconds;
  uint32_t modification_nanoseconds;
  int32_t reserved3;
  uint32_t rdev_major;
  uint32_t rdev_minor;
  uint32_t dev_major;
  uint32_t dev_minor;
  uint64_t mount_id;
  uint32_t direct_memory_alignment;
  uint32_t direct_offset_alignment;
  uint64_t spare1[12];
};
_Static_assert(sizeof(struct caio_statx) == 256, "statx layout");

static const uint32_t caio_statx_birth_time = 0x800;
static const uint32_t caio_statx_direct_io = 0x2000;

static inline int caio_statx_fd(int fd, struct caio_statx *_Nonnull out) {
  return (int)syscall(SYS_statx, fd, "", 0x1000 /* AT_EMPTY_PATH */,
                      0x7ff | caio_statx_birth_time | caio_statx_direct_io, out);
}

// SEEK_DATA and SEEK_HOLE need a feature macro in <unistd.h>; their values are kernel ABI
// (include/uapi/linux/fs.h).
static const int caio_seek_data = 3;
static const int caio_seek_hole = 4;

// fallocate needs a feature macro in <fcntl.h>. This call never changes the file's length.
static inline int caio_allocate_keep_size(int fd, int64_t byte_offset, int64_t byte_count) {
  return (int)syscall(SYS_fallocate, fd, FALLOC_FL_KEEP_SIZE, byte_offset, byte_count);
}

// renameat2 needs a feature macro in <stdio.h>. This call fails with EEXIST if the new name exists.
static inline int caio_rename_without_replacing(const char *_Nonnull from, const char *_Nonnull to) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1 /* RENAME_NOREPLACE */);
}

// memfd_create needs a feature macro in <sys/mman.h>. Returns a file in memory, closed on exec.
static inline int caio_memory_file(void) {
  return (int)syscall(SYS_memfd_create, "thin-merge", 1 /* MFD_CLOEXEC */);
}

// struct statfs and the function statfs share a name, which Swift cannot tell apart.
static const unsigned long caio_tmpfs = TMPFS_MAGIC;
static const unsigned long caio_ramfs = RAMFS_MAGIC;
static const unsigned long caio_overlayfs = OVERLAYFS_SUPER_MAGIC;
static const unsigned long caio_fat = MSDOS_SUPER_MAGIC;
// In <linux/magic.h> only since Linux 5.13.
static const unsigned long caio_exfat = 0x2011BAB0;
static inline unsigned long caio_file_system_type(const char *_Nonnull path) {
  struct statfs information;
  return statfs(path, &information) == 0 ? (unsigned long)information.f_type : 0;
}

#endif
