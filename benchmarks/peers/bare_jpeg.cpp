// The speed limit of a JPEG loader on this machine: decode all JPEGs of a .rec with libjpeg-turbo and discard the
// pixels. Each thread keeps one decoder; there is no crop, no batch and no Python. Prints JSON.
//
// Build: g++ -O3 bare_jpeg.cpp -ljpeg -lpthread
// Usage: bare_jpeg FILE.rec CHANNELS(1 or 3) THREADS EPOCHS
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <jpeglib.h>

namespace {

constexpr size_t kImagesPerItem = 64;

struct Payload {
    const unsigned char* data;  // owned by the file's bytes in `main`
    size_t size;
};

// The images of a file whose records have one part and one label.
std::vector<Payload> find_images(const std::vector<unsigned char>& file) {
    constexpr size_t kHeadSize = 8, kHeaderSize = 24;
    std::vector<Payload> images;
    for (size_t offset = 0; offset + kHeadSize <= file.size();) {
        uint32_t word;
        std::memcpy(&word, &file[offset + 4], 4);
        const size_t length = word & ((1u << 29) - 1);
        images.push_back({&file[offset + kHeadSize + kHeaderSize], length - kHeaderSize});
        offset += kHeadSize + (length + 3) / 4 * 4;
    }
    return images;
}

// Decode images with one decoder, until `next` passes the last one.
void decode_images(const std::vector<Payload>& images, int channels, std::atomic<size_t>& next) {
    jpeg_decompress_struct info;
    jpeg_error_mgr errors;
    info.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&info);
    std::vector<unsigned char> pixels;
    for (size_t begin; (begin = next.fetch_add(kImagesPerItem)) < images.size();)
        for (size_t n = begin; n < std::min(begin + kImagesPerItem, images.size()); ++n) {
            jpeg_mem_src(&info, images[n].data, images[n].size);
            jpeg_read_header(&info, TRUE);
            info.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
            jpeg_start_decompress(&info);
            const size_t stride = size_t(info.output_width) * channels;
            pixels.resize(stride * info.output_height);
            while (info.output_scanline < info.output_height) {
                JSAMPROW rows[16];
                for (int y = 0; y < 16; ++y)
                    rows[y] = &pixels[std::min(info.output_scanline + y, info.output_height - 1) * stride];
                jpeg_read_scanlines(&info, rows, 16);
            }
            jpeg_finish_decompress(&info);
        }
    jpeg_destroy_decompress(&info);
}

void decode_epoch(const std::vector<Payload>& images, int channels, int n_threads) {
    std::atomic<size_t> next{0};
    std::vector<std::thread> threads;
    threads.reserve(n_threads);
    for (int n = 0; n < n_threads; ++n) threads.emplace_back([&] { decode_images(images, channels, next); });
    for (auto& thread : threads) thread.join();
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): a wrong argument ends the program with the exception's text
int main(int argc, char** argv) {
    if (argc != 5) return 2;
    std::ifstream stream(argv[1], std::ios::binary);
    const std::vector<unsigned char> file((std::istreambuf_iterator<char>(stream)), {});
    const int channels = std::stoi(argv[2]), n_threads = std::stoi(argv[3]), n_epochs = std::stoi(argv[4]);
    const std::vector<Payload> images = find_images(file);
    decode_epoch(images, channels, n_threads);  // warm-up
    const auto begin = std::chrono::steady_clock::now();
    for (int epoch = 0; epoch < n_epochs; ++epoch) decode_epoch(images, channels, n_threads);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("{\"n\": %zu, \"seconds\": %f}\n", images.size() * n_epochs, seconds);
}
