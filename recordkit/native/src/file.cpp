#include "file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "extents.hpp"

namespace recordkit {
namespace {

std::atomic<uint64_t> all_copies_bytes{0};

int open_for_reading(const char* path) {
    for (;;) {
        const int number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (number >= 0 || errno != EINTR) return number;  // a signal ends the opening of a file on a network
    }
}

}  // namespace

FileDescriptor::FileDescriptor(const std::string& path) : number_(open_for_reading(path.c_str())) {
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

std::unique_ptr<const FileCopy> FileCopy::make(uint64_t file_size, uint64_t max_bytes) {
    max_bytes = std::min(max_bytes, kMaxBytes);
    uint64_t reserved = all_copies_bytes.load();
    do {
        if (!file_size || reserved > max_bytes || file_size > max_bytes - reserved) return nullptr;
    } while (!all_copies_bytes.compare_exchange_weak(reserved, reserved + file_size));
    try {
        return std::unique_ptr<const FileCopy>(new FileCopy(file_size));
    } catch (const std::bad_alloc&) {
        all_copies_bytes.fetch_sub(file_size);
        return nullptr;
    }
}

FileCopy::FileCopy(uint64_t file_size)
    : size_(file_size), bytes_(new uint8_t[file_size]),
      is_read_(new std::atomic<bool>[static_cast<size_t>((file_size + kBlockBytes - 1) / kBlockBytes)]()) {}

FileCopy::~FileCopy() { all_copies_bytes.fetch_sub(size_); }

Span FileCopy::bytes(const FileDescriptor& file, uint64_t offset, size_t size) const {
    for (uint64_t n = offset / kBlockBytes; n * kBlockBytes < offset + size; ++n) {
        if (is_read_[n].load(std::memory_order_acquire)) continue;
        const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        if (!lock) return {};
        if (is_read_[n].load(std::memory_order_acquire)) continue;
        const uint64_t begin = n * kBlockBytes;
        const auto length = static_cast<size_t>(std::min(kBlockBytes, size_ - begin));
        if (file.read(begin, {bytes_.get() + begin, length}) < length) return {};
        is_read_[n].store(true, std::memory_order_release);
    }
    return {bytes_.get() + offset, size};
}

void FileCopy::prefetch(uint64_t offset) const {
    constexpr uint64_t kLineBytes = 64, kLines = 14;
    const uint64_t end = std::min(size_, offset + kLines * kLineBytes);
    for (uint64_t line = offset; line < end; line += kLineBytes) __builtin_prefetch(bytes_.get() + line);
}

File::File(const std::string& path)
    : descriptor_(std::make_unique<const FileDescriptor>(path)), size_(descriptor_->size(path)) {
    posix_fadvise(descriptor_->number(), 0, 0, POSIX_FADV_RANDOM);
}

File::File(std::shared_ptr<Extents> extents) : extents_(std::move(extents)), size_(extents_->size()) {}

File::~File() = default;

size_t File::read_extents(uint64_t offset, MutableSpan out, size_t needed) const {
    return extents_->read(offset, out, needed);
}

FormatFault File::shrunk(uint64_t offset) const {
    const uint64_t size_now = descriptor_ ? descriptor_->size("") : extents_->size();
    return {"the file to keep its " + plural(size_, "byte"), std::to_string(size_now), offset, true, "open it again"};
}

void File::will_need(uint64_t begin, uint64_t end) const {
    end = std::min(end, size_);
    if (descriptor_ && begin < end)
        posix_fadvise(descriptor_->number(), static_cast<off_t>(begin), static_cast<off_t>(end - begin),
                      POSIX_FADV_WILLNEED);
}

bool File::is_cached(uint64_t offset) const {
    if (!descriptor_) return true;
#ifdef RWF_NOWAIT
    uint8_t byte;
    const iovec target{&byte, 1};
    return preadv2(descriptor_->number(), &target, 1, static_cast<off_t>(offset), RWF_NOWAIT) == 1;
#else
    (void)offset;
    return false;
#endif
}

void File::keep(uint64_t max_bytes) const {
    if (!descriptor_) return;
    std::call_once(keep_once_, [&] {
        copy_ = FileCopy::make(size_, max_bytes);
        if (copy_) has_copy_.store(true, std::memory_order_release);
    });
}

Span File::kept(uint64_t offset, size_t size) const {
    return has_copy_.load(std::memory_order_acquire) ? copy_->bytes(*descriptor_, offset, size) : Span{};
}

void File::prefetch(uint64_t offset) const {
    if (has_copy_.load(std::memory_order_acquire) && offset < size_) copy_->prefetch(offset);
}

}  // namespace recordkit
