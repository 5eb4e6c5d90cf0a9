#include "extents.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>

namespace recordkit {
namespace {

// Calls of fetch() for one byte. More than one is needed only if other threads remove what was fetched.
constexpr int kMaxFetches = 100;

// Files that extents have open in this process.
std::atomic<size_t> n_open_files{0};

// Half of the files that this process may have open: the rest is for others.
size_t max_open_files() {
    rlimit limit{};
    return getrlimit(RLIMIT_NOFILE, &limit) ? 0 : static_cast<size_t>(std::min<rlim_t>(limit.rlim_cur, 1 << 20) / 2);
}

// All mutexes of extents. A process is forked while no thread holds one, because the child has not that thread and would
// wait for it forever.
class ForkGuard {
  public:
    static ForkGuard& of_process() {
        static auto* const guard = new ForkGuard;  // never deleted, because extents may outlive this module
        return *guard;
    }

    void add(std::mutex* mutex) {
        const std::lock_guard<std::mutex> lock(mutex_);
        all_.insert(mutex);
    }
    void remove(std::mutex* mutex) {
        const std::lock_guard<std::mutex> lock(mutex_);
        all_.erase(mutex);
    }

  private:
    ForkGuard() {
        pthread_atfork([] { of_process().lock_all(); }, [] { of_process().unlock_all(); },
                       [] { of_process().unlock_all(); });
    }
    void lock_all() {
        mutex_.lock();
        for (std::mutex* const mutex : all_) mutex->lock();
    }
    void unlock_all() {
        for (std::mutex* const mutex : all_) mutex->unlock();
        mutex_.unlock();
    }

    std::mutex mutex_;
    std::set<std::mutex*> all_;  // not owned; their owners remove them
};

ByteRange checked(ByteRange range, uint64_t size) {
    if (range.first >= range.second || range.second > size)
        throw std::invalid_argument("expected a range of an object of " + std::to_string(size) + " bytes, got " +
                                    std::to_string(range.first) + " to " + std::to_string(range.second));
    return range;
}

}  // namespace

// A file that is counted.
class Extents::OpenFile : public FileDescriptor {
  public:
    explicit OpenFile(const std::string& path) : FileDescriptor(path) { ++n_open_files; }
    ~OpenFile() { --n_open_files; }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
};

Extents::Extents(uint64_t size) : size_(size) { ForkGuard::of_process().add(&mutex_); }

Extents::~Extents() { ForkGuard::of_process().remove(&mutex_); }

size_t Extents::read(uint64_t offset, MutableSpan out, size_t needed) {
    if (offset >= size_) return 0;
    out.size = static_cast<size_t>(std::min<uint64_t>(out.size, size_ - offset));
    needed = std::min(needed, out.size);
    size_t n_read = 0;
    for (int n_fetches = 0; n_read < out.size;) {
        const uint64_t begin = offset + n_read;
        Entry entry = find(begin);
        if (entry.content) {
            const auto n = static_cast<size_t>(std::min<uint64_t>(out.size - n_read, entry.range.second - begin));
            const size_t n_copied = read(entry, begin, out.sub(n_read, n));
            if (n_copied) n_fetches = 0;
            n_read += n_copied;
            if (n_copied == n) continue;
            drop(entry);  // the file is gone or was cut short
        }
        if (n_read >= needed) break;
        if (n_fetches++ == kMaxFetches)
            throw std::logic_error("byte " + std::to_string(begin) + " was fetched, and no extent has it");
        fetch({offset + n_read, offset + needed});
    }
    return n_read;
}

// Read the bytes of an extent from `offset` on; fewer if its file is gone or was cut short.
size_t Extents::read(Entry& entry, uint64_t offset, MutableSpan out) {
    const Content& content = *entry.content;
    const uint64_t skipped = offset - entry.range.first;
    if (content.path.empty()) {
        std::memcpy(out.data, content.bytes.data() + skipped, out.size);
        return out.size;
    }
    if (!entry.file) {
        try {
            entry.file = std::make_shared<const OpenFile>(content.path);
        } catch (const SystemFault& fault) {
            if (fault.error_number != ENOENT && fault.error_number != ENOTDIR) throw;
            return 0;
        }
        keep_open(entry);
    }
    return entry.file->read(content.file_offset + skipped, out);
}

// Keep the file of an extent open, in place of another one if there are too many.
void Extents::keep_open(const Entry& entry) {
    std::shared_ptr<const OpenFile> closed;  // destroyed after the lock
    const bool are_too_many = n_open_files > max_open_files();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (are_too_many) {
        closed = take_file_to_close();
        if (!closed) return;
    }
    entry.content->file = entry.file;
}

// Take the file of an extent that was not read for long; null if no extent has an open file.
std::shared_ptr<const Extents::OpenFile> Extents::take_file_to_close() {
    for (size_t n = 2 * files_.size(); n; --n) {
        auto next = files_.upper_bound(last_closed_);
        if (next == files_.end()) next = files_.begin();
        last_closed_ = next->first;
        Content& content = *next->second.content;
        if (content.file && !std::exchange(content.is_used, false)) return std::exchange(content.file, nullptr);
    }
    return nullptr;
}

void Extents::add_file(ByteRange range, const std::string& path, uint64_t file_offset) {
    const auto [begin, end] = checked(range, size_);
    auto content = std::make_shared<Content>();
    const auto file = std::make_shared<const OpenFile>(path);
    content->path = path;
    content->file_offset = file_offset;
    const uint64_t file_size = file->size(path), length = end - begin;
    if (file_size < length || file_offset > file_size - length)
        throw FormatFault(std::to_string(length) + " bytes from byte " + std::to_string(file_offset) + " on",
                          "a file of " + std::to_string(file_size) + " bytes", file_size, true, "delete it");
    keep_open({range, content, file});
    add(files_, {range, std::move(content), nullptr});
}

void Extents::add_bytes(uint64_t begin, Span bytes) {
    const ByteRange range = checked({begin, begin + bytes.size}, size_);
    auto content = std::make_shared<Content>();
    content->bytes.assign(bytes.data, bytes.data + bytes.size);
    add(memory_, {range, std::move(content), nullptr});
}

void Extents::add(EntryMap& map, Entry&& entry) {
    const auto [begin, end] = entry.range;
    std::vector<Entry> replaced;  // destroyed after the lock, because it closes files
    const std::lock_guard<std::mutex> lock(mutex_);
    auto next = map.lower_bound(begin);
    if (next != map.begin() && std::prev(next)->second.range.second >= end) return;
    if (next != map.end() && next->first == begin && next->second.range.second > end) return;
    while (next != map.end() && next->second.range.second <= end) {
        bytes_in_memory_ -= next->second.content->bytes.size();
        replaced.push_back(std::move(next->second));
        next = map.erase(next);
    }
    bytes_in_memory_ += entry.content->bytes.size();
    map.emplace_hint(next, begin, std::move(entry));
}

void Extents::remove(ByteRange range) {
    std::vector<Entry> removed;  // destroyed after the lock, because it closes files
    const std::lock_guard<std::mutex> lock(mutex_);
    for (EntryMap* const map : {&files_, &memory_}) {
        auto next = map->lower_bound(range.first);
        while (next != map->end() && next->second.range.second <= range.second) {
            bytes_in_memory_ -= next->second.content->bytes.size();
            removed.push_back(std::move(next->second));
            next = map->erase(next);
        }
    }
}

// Remove an extent whose file lacks bytes, unless another thread has removed or replaced it.
void Extents::drop(const Entry& entry) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto same = files_.find(entry.range.first);
    if (same != files_.end() && same->second.content == entry.content) files_.erase(same);
}

std::vector<ByteRange> Extents::missing(std::vector<ByteRange> ranges) const {
    std::sort(ranges.begin(), ranges.end());
    std::vector<ByteRange> wanted, result;
    for (auto [begin, end] : ranges) {
        end = std::min(end, size_);
        if (begin >= end) continue;
        if (!wanted.empty() && begin <= wanted.back().second)
            wanted.back().second = std::max(wanted.back().second, end);
        else wanted.emplace_back(begin, end);
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [first, end] : wanted)
        for (uint64_t begin = first; begin < end;) {
            if (const Entry* const entry = look_up(begin)) {
                begin = entry->range.second;
                continue;
            }
            const uint64_t next = std::min(end, next_begin(begin));
            result.emplace_back(begin, next);
            begin = next;
        }
    return result;
}

uint64_t Extents::bytes_in_memory() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return bytes_in_memory_;
}

const Extents::Entry* Extents::look_up(uint64_t offset) const {
    for (const EntryMap* const map : {&memory_, &files_}) {
        const auto next = map->upper_bound(offset);
        if (next == map->begin()) continue;
        const Entry& entry = std::prev(next)->second;
        if (offset < entry.range.second) return &entry;
    }
    return nullptr;
}

// The first begin of an extent behind an offset; the size of the object if there is none.
uint64_t Extents::next_begin(uint64_t offset) const {
    uint64_t begin = size_;
    for (const EntryMap* const map : {&memory_, &files_}) {
        const auto next = map->upper_bound(offset);
        if (next != map->end()) begin = std::min(begin, next->first);
    }
    return begin;
}

// A copy of the extent that has a byte; without content if none has it.
Extents::Entry Extents::find(uint64_t offset) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Entry* const entry = look_up(offset);
    if (!entry) return {};
    entry->content->is_used = true;
    return {entry->range, entry->content, entry->content->file};
}

}  // namespace recordkit
