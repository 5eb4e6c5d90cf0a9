#include "file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace recordkit {

Handle::Handle(const std::string& path) : number_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (number_ < 0) throw SystemFault(errno, path);
}

Handle::~Handle() { close(number_); }

size_t Handle::read(uint64_t begin, size_t size, void* out) const {
    size_t got = 0;
    while (got < size) {
        const ssize_t n = pread(number_, static_cast<char*>(out) + got, size - got, static_cast<off_t>(begin + got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw SystemFault(errno, "");
        if (!n) break;  // cut short since it was opened
        got += static_cast<size_t>(n);
    }
    return got;
}

uint64_t Handle::size(const std::string& path) const {
    struct stat status{};
    if (fstat(number_, &status)) throw SystemFault(errno, path);
    if (S_ISDIR(status.st_mode)) throw SystemFault(EISDIR, path);
    if (!S_ISREG(status.st_mode)) throw NoFile("a pipe or device");
    return static_cast<uint64_t>(status.st_size);
}

bool file_size(const std::string& path, uint64_t* size) {
    struct stat status{};
    // A name with a zero byte in it is none.
    if (path.find('\0') != std::string::npos || stat(path.c_str(), &status) || !S_ISREG(status.st_mode)) return false;
    *size = static_cast<uint64_t>(status.st_size);
    return true;
}

bool read_file(const std::string& path, uint64_t size, void* out) {
    try {
        const Handle handle(path);
        return handle.size(path) == size && handle.read(0, size, out) == size;
    } catch (const std::runtime_error&) {
        return false;
    }
}

MappedFile::MappedFile(const std::string& path) : path_(path), handle_(path), size_(handle_.size(path)) {
    if (!size_) return;
    void* const mapping = mmap(nullptr, size_, PROT_READ, MAP_SHARED, handle_.number(), 0);
    if (mapping == MAP_FAILED) throw SystemFault(errno, path);
    data_ = static_cast<const uint8_t*>(mapping);
    expect_order(false);
}

MappedFile::~MappedFile() {
    if (data_) munmap(const_cast<uint8_t*>(data_), size_);
}

Span MappedFile::bytes() const {
    const uint64_t now = handle_.size(path_);
    if (now < size_)
        throw FormatFault("the file to keep its " + std::to_string(size_) + " bytes", std::to_string(now), now, true,
                          "open it again");
    return {data_, size_};
}

void MappedFile::expect_order(bool order) const {
    if (data_) madvise(const_cast<uint8_t*>(data_), size_, order ? MADV_SEQUENTIAL : MADV_RANDOM);
}

void MappedFile::will_need(uint64_t begin, uint64_t end) const {
    const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    begin = begin / page * page;
    if (end > size_) end = size_;
    if (data_ && begin < end) madvise(const_cast<uint8_t*>(data_) + begin, end - begin, MADV_WILLNEED);
}

}  // namespace recordkit
