// Files for reading.
//
// No file is mapped into memory, because the system ends a process that touches a page which another process has cut
// off the file. Bytes are copied by system calls, which return fewer bytes instead.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "common.hpp"

namespace recordkit {

// The system is asked to read ahead the whole of a record that is longer than this, instead of page by page.
constexpr uint64_t kLongRecordBytes = 1 << 14;

// A system call failed; becomes OSError. what() is the path of the file, or empty if the caller knows it.
struct SystemFault : std::runtime_error {
    SystemFault(int system_errno, const std::string& path) : std::runtime_error(path), error_number(system_errno) {}
    int error_number;  // errno
};

// The path leads to a pipe or a device; becomes FormatError.
struct NotRegularFile : std::runtime_error {
    NotRegularFile() : std::runtime_error("a pipe or device") {}
};

// An open file descriptor, closed by the destructor.
class FileDescriptor {
  public:
    explicit FileDescriptor(const std::string& path);  // throws SystemFault
    ~FileDescriptor();
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;

    int number() const { return number_; }
    // Read from `offset` on until `out` is full or the file ends; return the number of bytes. Throws SystemFault.
    size_t read(uint64_t offset, MutableSpan out) const;
    // Throws SystemFault, also for a folder, and NotRegularFile.
    uint64_t size(const std::string& path) const;

  private:
    int number_;
};

// Get the size of a regular file; false if there is no such file.
bool file_size(const std::string& path, uint64_t* size);

// Read a whole file of `out.size` bytes; false if it cannot be read or its size is different by now.
bool read_file(const std::string& path, MutableSpan out);

class Extents;  // extents.hpp

// A copy of a file in memory, made block by block as the file is read. Threads may share it.
class FileCopy {
  public:
    // Make an empty copy of a file of this size; null if all copies of this process would have more than `max_bytes` or
    // kMaxBytes, or if there is no memory.
    static std::unique_ptr<const FileCopy> make(uint64_t file_size, uint64_t max_bytes);
    ~FileCopy();
    FileCopy(const FileCopy&) = delete;
    FileCopy& operator=(const FileCopy&) = delete;

    // These bytes, which the file has. No data if it ends earlier by now, or if they are not in the copy yet and another
    // thread is reading: nobody waits, because a forked process would wait forever for a thread that it has not. Throws
    // SystemFault.
    Span bytes(const FileDescriptor& file, uint64_t offset, size_t size) const;
    // Prefetch the beginning of a record into the CPU's cache; a small record is prefetched whole.
    void prefetch(uint64_t offset) const;

  private:
    static constexpr uint64_t kMaxBytes = uint64_t(1) << 28, kBlockBytes = uint64_t(1) << 16;

    explicit FileCopy(uint64_t file_size);

    uint64_t size_;
    std::unique_ptr<uint8_t[]> bytes_;              // uninitialised
    std::unique_ptr<std::atomic<bool>[]> is_read_;  // for each block
    mutable std::mutex mutex_;                      // held while a block is read
};

// A .rec file, of this machine or in extents. Threads may share it. Functions that read throw SystemFault and, of
// extents, what fetching throws.
class File {
  public:
    explicit File(const std::string& path);  // throws SystemFault and NotRegularFile
    explicit File(std::shared_ptr<Extents> extents);
    ~File();
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    // The number of bytes that the file had when it was opened.
    uint64_t size() const { return size_; }
    // Fill `out` with the bytes from `offset` on, all of them before size(), and return their number. It is smaller if
    // the file has shrunk.
    size_t read(uint64_t offset, MutableSpan out) const { return read(offset, out, out.size); }
    // Only the first `needed` bytes have to be read: those behind them are left out if they would have to be fetched.
    size_t read(uint64_t offset, MutableSpan out, size_t needed) const {
        return descriptor_ ? descriptor_->read(offset, out) : read_extents(offset, out, needed);
    }
    // The error that the file has shrunk while the record at `offset` was read.
    FormatFault shrunk(uint64_t offset) const;
    // Tell the system that these bytes are read soon. Otherwise it reads only what is asked for: read-ahead between
    // records that are far apart would fill memory with bytes that are not used.
    void will_need(uint64_t begin, uint64_t end) const;

    // Tell whether the system has the byte at `offset` in memory; false if it does not say, true for extents.
    bool is_cached(uint64_t offset) const;

    // From now on, copy the file to memory as it is read, if all copies of this process stay within `max_bytes` and a
    // limit of their own. Extents are not copied. The first call decides. A system call for each record takes longer than loading a tiny image.
    void keep(uint64_t max_bytes) const;
    // These bytes of the copy, valid while this object lives; no data if there is no copy, or not now. Throws
    // SystemFault.
    Span kept(uint64_t offset, size_t size) const;
    void prefetch(uint64_t offset) const;  // from the copy, if there is one

  private:
    size_t read_extents(uint64_t offset, MutableSpan out, size_t needed) const;

    std::unique_ptr<const FileDescriptor> descriptor_;  // null for extents
    std::shared_ptr<Extents> extents_;                  // null for a file of this machine
    uint64_t size_;
    mutable std::once_flag keep_once_;
    mutable std::unique_ptr<const FileCopy> copy_;
    mutable std::atomic<bool> has_copy_{false};  // copy_ is set and does not change any more
};

}  // namespace recordkit
