// A file to be read, mapped into memory.
//
// What is mapped may not be cut short by another process while it is read: the system would end this one (SIGBUS). So
// every call that reads first asks for the size again, and a file that has shrunk is an error instead; what is left is
// the moment between.
#pragma once

#include <string>

#include "common.hpp"

namespace recordkit {

// What is longer than this is asked for as a whole, not page by page.
constexpr uint64_t kLongRecordBytes = 1 << 14;

// The system's error number and the call that failed; becomes OSError.
struct SystemFault : std::runtime_error {
    SystemFault(int number, const std::string& path) : std::runtime_error(path), code(number) {}
    int code;
};

// A pipe or a device; becomes FormatError.
struct NoFile : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// An open file, closed with this object.
class Handle {
  public:
    explicit Handle(const std::string& path);  // throws SystemFault
    ~Handle();
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    int number() const { return number_; }
    // Read `size` bytes from `begin` on; returns how many there were. Throws SystemFault.
    size_t read(uint64_t begin, size_t size, void* out) const;
    uint64_t size(const std::string& path) const;  // throws SystemFault, also of a folder, or NoFile

  private:
    int number_;
};

// Whether there is a file of that name, and its size.
bool file_size(const std::string& path, uint64_t* size);

// Read a file whole; false if it cannot be read, or has another size by now.
bool read_file(const std::string& path, uint64_t size, void* out);

class MappedFile {
  public:
    explicit MappedFile(const std::string& path);
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    // All bytes, as of when it was opened; valid while this object lives. Throws FormatFault if it has shrunk.
    Span bytes() const;
    // Tell the system that these bytes are read soon. Of what it is not told it reads no more than is asked for: of
    // records far apart, what lies between would fill memory with what nobody wants.
    void will_need(uint64_t begin, uint64_t end) const;
    // Tell it that all is read in order from now on, or no longer.
    void expect_order(bool order) const;
    size_t size() const { return size_; }

  private:
    std::string path_;
    Handle handle_;
    size_t size_;
    const uint8_t* data_ = nullptr;  // the mapping, released by the destructor; null for an empty file
};

}  // namespace recordkit
