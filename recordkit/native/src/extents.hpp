// The bytes of an object that lies elsewhere, as far as this machine has them: in files and in memory.
#pragma once

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "file.hpp"

namespace recordkit {

// [begin, end) in an object, in bytes.
using ByteRange = std::pair<uint64_t, uint64_t>;

// Extents of an object: ranges of it whose bytes are here. Bytes that no extent has are fetched, by a derived class.
// Threads may share it, and forked processes may use it.
//
// The mutex is held while an extent is looked up, added or removed, and never while bytes are read or fetched. An extent
// that is removed lives until the reads that use it have ended.
class Extents {
  public:
    explicit Extents(uint64_t size);
    virtual ~Extents();
    Extents(const Extents&) = delete;
    Extents& operator=(const Extents&) = delete;

    uint64_t size() const { return size_; }
    // Fill `out` with the bytes from `offset` on, and return their number: smaller only at the end of the object, or if
    // bytes behind the first `needed` ones would have to be fetched. Throws SystemFault, and what fetch() throws.
    size_t read(uint64_t offset, MutableSpan out, size_t needed);

    // The bytes from `begin` to `end` are in a file from `file_offset` on. It is opened now and stays open, so it may
    // be unlinked. Throws SystemFault, NotRegularFile, and FormatFault if the file is shorter.
    void add_file(ByteRange range, const std::string& path, uint64_t file_offset);
    // A copy of the bytes from `begin` on.
    void add_bytes(uint64_t begin, Span bytes);
    // Drop the extents that lie in this range as a whole.
    void remove(ByteRange range);
    // The parts of these ranges that no extent has, merged and sorted.
    std::vector<ByteRange> missing(std::vector<ByteRange> ranges) const;
    uint64_t bytes_in_memory() const;

  protected:
    // Add extents that cover the first byte of this range, and perhaps all. Called without a lock, by any thread.
    virtual void fetch(ByteRange range) = 0;

  private:
    // Bytes of the object. Immutable, and shared by the maps and the reads that use it.
    struct Content {
        std::unique_ptr<const FileDescriptor> file;  // null for bytes in memory
        uint64_t file_offset = 0;
        std::vector<uint8_t> bytes;
    };
    struct Entry {
        ByteRange range;
        std::shared_ptr<const Content> content;
    };
    // By their begins. None contains another one, so they are sorted by their ends too, and only the last that begins
    // at or before a byte can have it.
    using EntryMap = std::map<uint64_t, Entry>;

    // These need the lock.
    const Entry* look_up(uint64_t offset) const;
    uint64_t next_begin(uint64_t offset) const;

    Entry find(uint64_t offset) const;
    void add(EntryMap& map, Entry&& entry);
    void drop(const Entry& entry);

    const uint64_t size_;
    mutable std::mutex mutex_;
    EntryMap files_, memory_;
    uint64_t bytes_in_memory_ = 0;
};

}  // namespace recordkit
