// Files for reading: plain reads, and a memory mapping.
//
// A mapping must not be cut short by another process while it is read, because the system would end this process with
// SIGBUS. Every call that reads therefore checks the file's size first, so that a file that has shrunk is an error. A
// cut between the check and the read is not caught.
#pragma once

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

class MappedFile {
  public:
    explicit MappedFile(const std::string& path);
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    // All bytes the file had when it was opened. They are valid while this object lives. Throws FormatFault if the file
    // has shrunk.
    Span bytes() const;
    // Tell the system that these bytes are read soon. Otherwise it reads only the pages that are touched: read-ahead
    // between records that are far apart would fill memory with bytes that are not used.
    void will_need(uint64_t begin, uint64_t end) const;
    // Turn the system's read-ahead on for a sequential pass over the file, or off again.
    void expect_order(bool order) const;
    size_t size() const { return size_; }

  private:
    std::string path_;
    FileDescriptor descriptor_;
    size_t size_;
    const uint8_t* data_ = nullptr;  // the mapping, owned by this object; null for an empty file
};

}  // namespace recordkit
