#include "file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace recordkit {

FileDescriptor::FileDescriptor(const std::string& path)
    : number_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (number_ < 0) throw SystemFault(errno, path);
}

FileDescriptor::~FileDescriptor() { close(number_); }

size_t FileDescriptor::read(uint64_t offset, MutableSpan out) const {
    size_t n_read = 0;
    while (n_read < out.size) {
        const ssize_t n = pread(number_, out.data + n_read, out.size - n_read, static_cast<off_t>(offset + n_read));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw SystemFault(errno, "");
        if (!n) break;  // the file was cut short after it was opened
        n_read += static_cast<size_t>(n);
    }
    return n_read;
}

uint64_t FileDescriptor::size(const std::string& path) const {
    struct stat status{};
    if (fstat(number_, &status)) throw SystemFault(errno, path);
    if (S_ISDIR(status.st_mode)) throw SystemFault(EISDIR, path);
    if (!S_ISREG(status.st_mode)) throw NotRegularFile();
    return static_cast<uint64_t>(status.st_size);
}

bool file_size(const std::string& path, uint64_t* size) {
    struct stat status{};
    // A path with a zero byte names no file.
    if (path.find('\0') != std::string::npos || stat(path.c_str(), &status) || !S_ISREG(status.st_mode)) return false;
    *size = static_cast<uint64_t>(status.st_size);
    return true;
}

bool read_file(const std::string& path, MutableSpan out) {
    try {
        const FileDescriptor descriptor(path);
        return descriptor.size(path) == out.size && descriptor.read(0, out) == out.size;
    } catch (const std::runtime_error&) {
        return false;
    }
}

MappedFile::MappedFile(const std::string& path) : path_(path), descriptor_(path), size_(descriptor_.size(path)) {
    if (!size_) return;
    void* const mapping = mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor_.number(), 0);
    if (mapping == MAP_FAILED) throw SystemFault(errno, path);
    data_ = static_cast<const uint8_t*>(mapping);
    expect_order(false);
}

MappedFile::~MappedFile() {
    if (data_) munmap(const_cast<uint8_t*>(data_), size_);
}

Span MappedFile::bytes() const {
    const uint64_t current_size = descriptor_.size(path_);
    if (current_size < size_)
        throw FormatFault("the file to keep its " + std::to_string(size_) + " bytes", std::to_string(current_size),
                          current_size, true, "open it again");
    return {data_, size_};
}

void MappedFile::expect_order(bool order) const {
    if (data_) madvise(const_cast<uint8_t*>(data_), size_, order ? MADV_SEQUENTIAL : MADV_RANDOM);
}

void MappedFile::will_need(uint64_t begin, uint64_t end) const {
    const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    begin = begin / page * page;
    if (end > size_) end = size_;
    if (data_ && begin < end) madvise(const_cast<uint8_t*>(data_) + begin, end - begin, MADV_WILLNEED);
}

}  // namespace recordkit
