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
//
// Files stay open for the next read, so they may be unlinked. If all extents of the process have half as many files open
// as the system allows, some are closed and opened again when they are read; one that is gone by then is fetched again.
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

    // The bytes from `begin` to `end` are in a file from `file_offset` on. It is opened now. Throws SystemFault,
    // NotRegularFile, and FormatFault if the file is shorter.
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
    class OpenFile;
    // Bytes of the object, shared by the maps and the reads that use it.
    struct Content {
        std::string path;  // empty for bytes in memory
        uint64_t file_offset = 0;
        std::vector<uint8_t> bytes;
        std::shared_ptr<const OpenFile> file;  // null if it is closed; needs the lock, as `is_used` does
        bool is_used = false;                  // since a file to close was looked for
    };
    struct Entry {
        ByteRange range;
        std::shared_ptr<Content> content;
        std::shared_ptr<const OpenFile> file;  // of a copy: that of the content when it was looked up
    };
    // By their begins. None contains another one, so they are sorted by their ends too, and only the last that begins
    // at or before a byte can have it.
    using EntryMap = std::map<uint64_t, Entry>;

    // These need the lock.
    const Entry* look_up(uint64_t offset) const;
    uint64_t next_begin(uint64_t offset) const;

    std::shared_ptr<const OpenFile> take_file_to_close();

    Entry find(uint64_t offset) const;
    size_t read(Entry& entry, uint64_t offset, MutableSpan out);
    void keep_open(const Entry& entry);
    void add(EntryMap& map, Entry&& entry);
    void drop(const Entry& entry);

    const uint64_t size_;
    mutable std::mutex mutex_;
    EntryMap files_, memory_;
    uint64_t bytes_in_memory_ = 0;
    uint64_t last_closed_ = 0;  // begin of the last extent whose file was closed
};

}  // namespace recordkit
