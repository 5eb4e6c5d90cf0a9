// Runs every target on its corpus, then all targets in several threads. bin/sanitize builds it with sanitizers.
// Usage: replay CORPUS_FOLDER
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <new>
#include <numeric>
#include <thread>

#include "convert.hpp"
#include "extents.hpp"
#include "huffman.hpp"
#include "pool.hpp"
#include "read_many.hpp"
#include "records.hpp"
#include "targets.hpp"

namespace fs = std::filesystem;

// Number of allocations of this thread that succeed before one fails; negative: none fails.
thread_local int n_before_failure = -1;

void* operator new(size_t size) {
    const bool fails = n_before_failure == 0;
    if (n_before_failure >= 0) --n_before_failure;
    void* const memory = fails ? nullptr : std::malloc(size);
    return memory ? memory : throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace {

using Case = std::pair<const targets::Target*, std::vector<uint8_t>>;

std::vector<uint8_t> content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<Case> all_cases(const fs::path& corpus) {
    std::vector<Case> cases;
    for (size_t n = 0; n < targets::kNTargets; ++n) {
        const size_t before = cases.size();
        for (const auto& entry : fs::directory_iterator(corpus / targets::kTargets[n].name))
            cases.emplace_back(&targets::kTargets[n], content_of(entry.path()));
        std::cout << targets::kTargets[n].name << ": " << cases.size() - before << " inputs\n";
    }
    return cases;
}

// The extents of an object in memory. In turn, a piece is added as bytes and as a part of the file at `path`.
class PiecesOfFile : public recordkit::Extents {
  public:
    PiecesOfFile(std::string path, const std::vector<uint8_t>& content)
        : Extents(content.size()), path_(std::move(path)), content_(content) {}

    // Add a piece with this byte.
    void add_piece(uint64_t offset) {
        const uint64_t begin = offset / kPieceBytes * kPieceBytes, end = std::min(begin + kPieceBytes, size());
        if (n_added_++ % 2) add_file({begin, end}, path_, begin);
        else add_bytes(begin, {content_.data() + begin, static_cast<size_t>(end - begin)});
    }

  protected:
    void fetch(recordkit::ByteRange range) override {
        if (range.first > kFailingByte) throw std::runtime_error("fetching fails");
        add_piece(range.first);
    }

  private:
    static constexpr uint64_t kPieceBytes = 1000, kFailingByte = 2000000;

    std::string path_;
    const std::vector<uint8_t>& content_;  // of the caller
    std::atomic<size_t> n_added_{0};
};

// Threads read records from extents while others add and remove them.
void read_extents_in_threads(const fs::path& path, const std::vector<uint8_t>& content,
                             const std::vector<uint64_t>& offsets) {
    const auto extents = std::make_shared<PiecesOfFile>(path.string(), content);
    const recordkit::File file(extents);
    constexpr size_t kRounds = 12, kRecords = 2000;
    recordkit::parallel_for(kRounds, 1, 4, [&](size_t round, size_t) {
        if (round % 3 == 0) {
            for (uint64_t begin = 0; begin < content.size(); begin += 3500) {
                extents->remove({begin, begin + 5000});
                extents->missing({{begin, begin + 9000}, {begin + 100, begin + 200}});
                if (begin < content.size()) extents->add_piece(begin);
            }
            return;
        }
        std::vector<uint8_t> out;
        const auto allocate = [&](size_t size) { return out.resize(size), out.data(); };
        recordkit::read_many(file, offsets.data() + 500 * round, kRecords, 2, allocate);
        if (out.size() != 100 * kRecords || out[0] != static_cast<uint8_t>(500 * round))
            throw std::logic_error("records of extents differ");
    });
    extents->remove({0, content.size()});
    try {
        recordkit::scan(file);
        throw std::logic_error("an error of fetching was lost");
    } catch (const std::runtime_error&) {
    }
}

// Several threads read one file, and each reads in several threads.
void read_in_threads(const fs::path& folder) {
    const fs::path path = folder / ("recordkit-replay-" + std::to_string(getpid()) + ".rec");
    std::vector<uint8_t> framed, record(100);
    for (int n = 0; n < 20000; ++n) {
        record[0] = static_cast<uint8_t>(n);
        recordkit::frame_record({record.data(), record.size()}, framed);
    }
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(framed.data()), static_cast<std::streamsize>(framed.size()));
    const recordkit::File file(path.string());
    const std::vector<uint64_t> offsets = recordkit::scan(file);
    recordkit::parallel_for(8, 1, 4, [&](size_t, size_t) {
        std::vector<uint8_t> out;
        const auto allocate = [&](size_t size) { return out.resize(size), out.data(); };
        recordkit::read_many(file, offsets.data(), offsets.size(), 3, allocate);
        if (out.size() != 100 * offsets.size()) throw std::runtime_error("records are missing");
    });
    read_extents_in_threads(path, framed, offsets);
    fs::remove(path);
}

void fail_in_threads() {
    for (int round = 0; round < 200; ++round) {
        try {
            recordkit::parallel_for(100, 1, 4, [](size_t begin, size_t) {
                if (begin >= 40) throw std::runtime_error(std::to_string(begin));
            });
            throw std::logic_error("no error came out");
        } catch (const std::runtime_error& error) {
            if (std::string(error.what()) != "40") throw std::logic_error("another error came out");
        }
    }
}

// After an allocation has failed anywhere, the next call must succeed.
void run_out_of_memory() {
    const auto work = [] {
        const recordkit::Image image(300, 2, 3);
        recordkit::Target target;
        target.planar = true;
        target.width = 300, target.height = 2, target.channels = 3;
        std::vector<uint8_t> sample(target.bytes());
        recordkit::convert(image.view(), true, target, {sample.data(), sample.size()});
        recordkit::parallel_for(100, 1, 4, [](size_t, size_t) {});
    };
    for (int n = 0; n < 10; ++n)
        std::thread([&] {  // a new thread has no scratch memory yet
            n_before_failure = n;
            try {
                work();
            } catch (const std::bad_alloc&) {
            }
            n_before_failure = -1;
            work();
        })
            .join();
}

// Run a target again and again, with the first, second, third ... allocation failing, until none fails. Each failure may
// only come out as bad_alloc; sanitizers report what it leaks. Return the number of failures.
size_t fail_each_allocation(const Case& test_case) {
    constexpr int kMaxFailures = 400;
    const auto& [target, content] = test_case;
    size_t n_failures = 0;
    for (int n = 0; n < kMaxFailures; ++n) {
        n_before_failure = n;
        try {
            target->run({content.data(), content.size()});
        } catch (const std::bad_alloc&) {
        }
        const bool failed = n_before_failure < 0;
        n_before_failure = -1;
        if (!failed) break;
        ++n_failures;
    }
    return n_failures;
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): an exception is a failure, and ends the program with its text
int main(int, char** arguments) {
    if (!recordkit::kHasFastHuffman) std::cout << "the fast Huffman decoder is off: it is not tested\n";
    const std::vector<Case> cases = all_cases(arguments[1]);
    for (const auto& [target, content] : cases) target->run({content.data(), content.size()});
    recordkit::parallel_for(4 * cases.size(), 1, 4, [&](size_t begin, size_t) {
        const auto& [target, content] = cases[begin % cases.size()];
        target->run({content.data(), content.size()});
    });
    read_in_threads(fs::temp_directory_path());
    fail_in_threads();
    run_out_of_memory();
    size_t n_failures = 0;
    for (const Case& test_case : cases) n_failures += fail_each_allocation(test_case);
    std::cout << n_failures << " allocations failed\n";
    std::cout << "no errors\n";
}
