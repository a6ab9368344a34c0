/* The tools that the kernel lab needs beyond a shell: direct I/O with tagged contents, a comparison
 * that says where a wrong sector came from, and a replay of dm-log-writes.
 *
 * Compiled statically by scripts/kernel-lab. It shares nothing with thin-merge.
 *
 * Every 512-byte sector that it writes is 32 copies of {u32 tag, u32 generation, u64 sector}. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { sector_bytes = 512, chunk_bytes = 1 << 20, alignment = 4096 };

struct tag {
  uint32_t tag, generation;
  uint64_t sector;
};

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("labtool: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

static uint64_t number(const char *text) {
  char *end;
  errno = 0;
  uint64_t value = strtoull(text, &end, 0);
  if (errno || *end || end == text) fail("'%s' is not a number", text);
  return value;
}

static void *buffer(size_t bytes) {
  void *memory;
  if (posix_memalign(&memory, alignment, bytes)) fail("out of memory");
  return memory;
}

/* Block devices are opened with O_DIRECT: the page cache over a live pool may be stale. */
static int open_device(const char *path, int flags) {
  struct stat status;
  if (stat(path, &status)) fail("%s: %s", path, strerror(errno));
  if (S_ISBLK(status.st_mode)) flags |= O_DIRECT;
  int fd = open(path, flags | O_CLOEXEC);
  if (fd < 0) fail("%s: open: %s", path, strerror(errno));
  return fd;
}

static uint64_t size_of(int fd, const char *path) {
  struct stat status;
  uint64_t bytes;
  if (fstat(fd, &status)) fail("%s: %s", path, strerror(errno));
  if (!S_ISBLK(status.st_mode)) return (uint64_t)status.st_size;
  if (ioctl(fd, BLKGETSIZE64, &bytes)) fail("%s: %s", path, strerror(errno));
  return bytes;
}

static void read_all(int fd, const char *path, void *bytes, size_t count, uint64_t offset) {
  ssize_t result = pread(fd, bytes, count, (off_t)offset);
  if (result < 0) fail("%s: read at %" PRIu64 ": %s", path, offset, strerror(errno));
  if ((size_t)result != count) fail("%s: short read at %" PRIu64, path, offset);
}

static void write_all(int fd, const char *path, const void *bytes, size_t count, uint64_t offset) {
  ssize_t result = pwrite(fd, bytes, count, (off_t)offset);
  if (result < 0) fail("%s: write at %" PRIu64 ": %s", path, offset, strerror(errno));
  if ((size_t)result != count) fail("%s: short write at %" PRIu64, path, offset);
}

static void paint(void *bytes, size_t count, uint64_t offset, uint32_t tag, uint32_t generation) {
  struct tag *tags = bytes;
  for (size_t i = 0; i < count / sizeof(struct tag); i++)
    tags[i] = (struct tag){tag, generation, (offset + i * sizeof(struct tag)) / sector_bytes};
}

/* fill DEVICE TAG [OFFSET LENGTH [REQUEST]] */
static void fill(int count, char **argument) {
  int fd = open_device(argument[0], O_WRONLY);
  uint32_t tag = (uint32_t)number(argument[1]);
  uint64_t offset = count > 2 ? number(argument[2]) : 0;
  uint64_t length = count > 3 ? number(argument[3]) : size_of(fd, argument[0]) - offset;
  uint64_t request = count > 4 ? number(argument[4]) : chunk_bytes;
  char *bytes = buffer(request);
  for (uint64_t at = offset, end = offset + length; at < end; at += request) {
    size_t part = end - at < request ? end - at : request;
    paint(bytes, part, at, tag, 0);
    write_all(fd, argument[0], bytes, part, at);
  }
  if (fsync(fd)) fail("%s: fsync: %s", argument[0], strerror(errno));
}

static uint64_t state;
static uint64_t next_random(void) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/* scatter DEVICE TAG SEED COUNT LENGTH: that many writes at random multiples of LENGTH; COUNT 0: until
 * SIGTERM, and then the number of writes is printed. */
static volatile sig_atomic_t stopped;
static void stop(int signal) { (void)signal, stopped = 1; }
static void scatter(int count, char **argument) {
  if (count != 5) fail("scatter DEVICE TAG SEED COUNT LENGTH");
  int fd = open_device(argument[0], O_WRONLY);
  uint32_t tag = (uint32_t)number(argument[1]);
  state = number(argument[2]);
  uint64_t wanted = number(argument[3]), length = number(argument[4]), writes = 0;
  uint64_t places = size_of(fd, argument[0]) / length;
  char *bytes = buffer(length);
  signal(SIGTERM, stop);
  for (; !stopped && (wanted == 0 || writes < wanted); writes++) {
    uint64_t at = next_random() % places * length;
    paint(bytes, length, at, tag, (uint32_t)writes);
    write_all(fd, argument[0], bytes, length, at);
  }
  if (fsync(fd)) fail("%s: fsync: %s", argument[0], strerror(errno));
  if (wanted == 0) printf("%" PRIu64 "\n", writes);
}

/* create-thin POOL FROM TO: a dmsetup for each message takes long in an emulated machine. */
static void create_thin(int count, char **argument) {
  if (count != 3) fail("create-thin POOL FROM TO");
  int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
  if (fd < 0) fail("/dev/mapper/control: %s", strerror(errno));
  for (uint64_t id = number(argument[1]); id <= number(argument[2]); id++) {
    struct {
      struct dm_ioctl header;
      struct dm_target_msg target;
      char text[64];
    } message = {.header = {.version = {DM_VERSION_MAJOR, 0, 0},
                            .data_size = sizeof message,
                            .data_start = sizeof message.header}};
    snprintf(message.header.name, sizeof message.header.name, "%s", argument[0]);
    /* The text begins where the target's part ends. */
    snprintf(message.target.message, sizeof message.text, "create_thin %" PRIu64, id);
    if (ioctl(fd, DM_TARGET_MSG, &message)) fail("create_thin %" PRIu64 ": %s", id, strerror(errno));
  }
}

/* newest DEVICE TAG: how many writes of a scatter with this tag have been made, by the last of them. */
static void newest(int count, char **argument) {
  if (count != 2) fail("newest DEVICE TAG");
  int fd = open_device(argument[0], O_RDONLY);
  uint32_t tag = (uint32_t)number(argument[1]), writes = 0;
  uint64_t end = size_of(fd, argument[0]);
  char *bytes = buffer(chunk_bytes);
  for (uint64_t at = 0; at < end; at += chunk_bytes) {
    size_t part = end - at < chunk_bytes ? end - at : chunk_bytes;
    read_all(fd, argument[0], bytes, part, at);
    for (size_t i = 0; i < part; i += sector_bytes) {
      const struct tag *found = (const struct tag *)(bytes + i);
      if (found->tag == tag && found->generation + 1 > writes) writes = found->generation + 1;
    }
  }
  printf("%u\n", writes);
}

/* flip DEVICE OFFSET: changes one bit of the byte there. */
static void flip(int count, char **argument) {
  if (count != 2) fail("flip DEVICE OFFSET");
  int fd = open_device(argument[0], O_RDWR);
  uint64_t offset = number(argument[1]), sector = offset / sector_bytes * sector_bytes;
  char *bytes = buffer(sector_bytes);
  read_all(fd, argument[0], bytes, sector_bytes, sector);
  bytes[offset - sector] ^= 4;
  write_all(fd, argument[0], bytes, sector_bytes, sector);
  if (fsync(fd)) fail("%s: fsync: %s", argument[0], strerror(errno));
}

/* needs-check METADATA: turns the flag over in the superblock of a pool that is not active. */
static void needs_check(int count, char **argument) {
  if (count != 1) fail("needs-check METADATA");
  int fd = open_device(argument[0], O_RDWR);
  unsigned char *bytes = buffer(alignment);
  read_all(fd, argument[0], bytes, alignment, 0);
  bytes[4] ^= 1;
  uint32_t crc = ~0u;
  for (int i = 4; i < alignment; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  crc ^= 160774;
  memcpy(bytes, &crc, sizeof crc);
  write_all(fd, argument[0], bytes, alignment, 0);
  if (fsync(fd)) fail("%s: fsync: %s", argument[0], strerror(errno));
}

/* expectation THIN ORIGIN FILE: what the origin must be after a merge, as the kernel reads both now. */
static void expectation(int count, char **argument) {
  if (count != 3) fail("expectation THIN ORIGIN FILE");
  int thin = open_device(argument[0], O_RDONLY), origin = open_device(argument[1], O_RDONLY);
  int file = open(argument[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) fail("%s: %s", argument[2], strerror(errno));
  uint64_t thin_end = size_of(thin, argument[0]), end = size_of(origin, argument[1]);
  char *bytes = buffer(chunk_bytes);
  for (uint64_t at = 0; at < end;) {
    int is_thin = at < thin_end;
    uint64_t limit = is_thin && thin_end < end ? thin_end : end;
    size_t part = limit - at < chunk_bytes ? limit - at : chunk_bytes;
    read_all(is_thin ? thin : origin, argument[is_thin ? 0 : 1], bytes, part, at);
    write_all(file, argument[2], bytes, part, at);
    at += part;
  }
}

static void describe(const char *path, const void *sector) {
  const struct tag *tags = sector;
  int whole = 1;
  for (int i = 1; i < 32; i++) whole &= memcmp(&tags[i], &tags[0], sizeof(struct tag)) == 0;
  printf("  %s: ", path);
  if (whole)
    printf("tag %#x, write %u, sector %" PRIu64 "\n", tags[0].tag, tags[0].generation, tags[0].sector);
  else
    printf("not one tag; begins with tag %#x, sector %" PRIu64 "\n", tags[0].tag, tags[0].sector);
}

/* compare A B: exit status 1 if they differ, with what the first differing sectors hold. */
static int compare(int count, char **argument) {
  if (count != 2) fail("compare A B");
  int a = open_device(argument[0], O_RDONLY), b = open_device(argument[1], O_RDONLY);
  uint64_t end = size_of(a, argument[0]), differing = 0;
  if (end != size_of(b, argument[1])) {
    printf("%s and %s are not of one size\n", argument[0], argument[1]);
    return 1;
  }
  char *left = buffer(chunk_bytes), *right = buffer(chunk_bytes);
  for (uint64_t at = 0; at < end; at += chunk_bytes) {
    size_t part = end - at < chunk_bytes ? end - at : chunk_bytes;
    read_all(a, argument[0], left, part, at);
    read_all(b, argument[1], right, part, at);
    if (memcmp(left, right, part) == 0) continue;
    for (size_t i = 0; i < part; i += sector_bytes) {
      if (memcmp(left + i, right + i, sector_bytes) == 0) continue;
      if (differing++ >= 4) continue;
      printf("sector %" PRIu64 " differs:\n", (at + i) / sector_bytes);
      describe(argument[0], left + i);
      describe(argument[1], right + i);
    }
  }
  if (differing) printf("%" PRIu64 " sectors differ\n", differing);
  return differing != 0;
}

/* dm-log-writes: a superblock, then entries of one sector, each with its data behind it. All fields
 * are little-endian, and so is this machine. */
struct log_super {
  uint64_t magic, version, entry_count;
  uint32_t sector_size;
};
struct log_entry {
  uint64_t sector, sector_count, flags, data_length;
};
enum { log_flush = 1, log_fua = 2, log_discard = 4 };

static struct log_super open_log(int fd, const char *path) {
  char *bytes = buffer(sector_bytes);
  struct log_super super;
  read_all(fd, path, bytes, sector_bytes, 0);
  memcpy(&super, bytes, sizeof super);
  free(bytes);
  if (super.magic != 0x6a736677736872 || super.version != 1) fail("%s is not a log of writes", path);
  if (super.sector_size != sector_bytes) fail("%s: sectors of %u bytes", path, super.sector_size);
  return super;
}

/* flushes LOG: the numbers of the entries behind which a flush had been answered; last, of all. */
static void flushes(int count, char **argument) {
  if (count != 1) fail("flushes LOG");
  int fd = open_device(argument[0], O_RDONLY);
  struct log_super super = open_log(fd, argument[0]);
  char *bytes = buffer(sector_bytes);
  uint64_t at = sector_bytes;
  for (uint64_t i = 0; i < super.entry_count; i++) {
    struct log_entry entry;
    read_all(fd, argument[0], bytes, sector_bytes, at);
    memcpy(&entry, bytes, sizeof entry);
    at += sector_bytes + (entry.flags & log_discard ? 0 : entry.sector_count * sector_bytes);
    if (entry.flags & log_flush) printf("%" PRIu64 "\n", i + 1);
  }
  printf("%" PRIu64 "\n", super.entry_count);
}

/* replay LOG DEVICE FROM TO [SEED]: writes the entries again; with a seed, half of them. */
static void replay(int count, char **argument) {
  if (count < 4) fail("replay LOG DEVICE FROM TO [SEED]");
  int log = open_device(argument[0], O_RDONLY), device = open_device(argument[1], O_WRONLY);
  uint64_t from = number(argument[2]), to = number(argument[3]);
  int some = count > 4;
  if (some) state = number(argument[4]);
  struct log_super super = open_log(log, argument[0]);
  char *bytes = buffer(sector_bytes), *data = buffer(4 * chunk_bytes);
  uint64_t at = sector_bytes;
  for (uint64_t i = 0; i < super.entry_count && i < to; i++) {
    struct log_entry entry;
    read_all(log, argument[0], bytes, sector_bytes, at);
    memcpy(&entry, bytes, sizeof entry);
    at += sector_bytes;
    if (entry.flags & log_discard) continue; /* need not change anything */
    uint64_t length = entry.sector_count * sector_bytes;
    if (length > 4 * chunk_bytes) fail("an entry of %" PRIu64 " bytes", length);
    int wanted = i >= from && length > 0 && (!some || (next_random() & 1));
    if (wanted) {
      read_all(log, argument[0], data, length, at);
      write_all(device, argument[1], data, length, entry.sector * sector_bytes);
    }
    at += length;
  }
  if (fsync(device)) fail("%s: fsync: %s", argument[1], strerror(errno));
}

/* forget FILE...: removes thin-merge's extended attributes; tmpfs supports them since Linux 6.6. */
static void forget(int count, char **argument) {
  for (int i = 0; i < count; i++) {
    char names[65536];
    ssize_t length = listxattr(argument[i], names, sizeof names);
    for (char *name = names; length > 0 && name < names + length; name += strlen(name) + 1)
      if (!strncmp(name, "user.thin-merge", 15) && removexattr(argument[i], name))
        fail("%s: %s: %s", argument[i], name, strerror(errno));
  }
}

int main(int count, char **argument) {
  const char *verb = count > 1 ? argument[1] : "";
  count -= 2, argument += 2;
  if (!strcmp(verb, "fill") && count >= 2) fill(count, argument);
  else if (!strcmp(verb, "scatter")) scatter(count, argument);
  else if (!strcmp(verb, "create-thin")) create_thin(count, argument);
  else if (!strcmp(verb, "newest")) newest(count, argument);
  else if (!strcmp(verb, "flip")) flip(count, argument);
  else if (!strcmp(verb, "needs-check")) needs_check(count, argument);
  else if (!strcmp(verb, "expectation")) expectation(count, argument);
  else if (!strcmp(verb, "compare")) return compare(count, argument);
  else if (!strcmp(verb, "flushes")) flushes(count, argument);
  else if (!strcmp(verb, "replay")) replay(count, argument);
  else if (!strcmp(verb, "forget")) forget(count, argument);
  else
    fail("fill, scatter, create-thin, newest, flip, needs-check, expectation, compare, flushes, replay or forget");
  return 0;
}
