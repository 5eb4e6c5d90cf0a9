// What the machine can do: decode all JPEGs of a .rec with libjpeg-turbo and throw the pixels away. One decoder a thread,
// kept from image to image; no crop, no batch, no Python. Build: g++ -O3 bare_jpeg.cpp -ljpeg -lpthread
//
// Usage: bare_jpeg FILE.rec {1,3} THREADS EPOCHS     (channels)
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include <jpeglib.h>

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    std::ifstream file(argv[1], std::ios::binary);
    const std::vector<unsigned char> bytes((std::istreambuf_iterator<char>(file)), {});
    const int channels = std::atoi(argv[2]), n_threads = std::atoi(argv[3]), n_epochs = std::atoi(argv[4]);
    std::vector<std::pair<const unsigned char*, size_t>> images;  // records of one part with one label
    for (size_t at = 0; at + 8 <= bytes.size();) {
        uint32_t length;
        std::memcpy(&length, &bytes[at + 4], 4);
        length &= (1u << 29) - 1;
        images.push_back({&bytes[at + 8 + 24], length - 24});
        at += 8 + (length + 3) / 4 * 4;
    }
    const auto decode_all = [&] {
        std::atomic<size_t> next{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < n_threads; ++t)
            threads.emplace_back([&] {
                jpeg_decompress_struct info;
                jpeg_error_mgr errors;
                info.err = jpeg_std_error(&errors);
                jpeg_create_decompress(&info);
                std::vector<unsigned char> pixels;
                for (size_t begin; (begin = next.fetch_add(64)) < images.size();)
                    for (size_t n = begin; n < std::min(begin + 64, images.size()); ++n) {
                        jpeg_mem_src(&info, images[n].first, images[n].second);
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
            });
        for (auto& thread : threads) thread.join();
    };
    decode_all();
    const auto begin = std::chrono::steady_clock::now();
    for (int epoch = 0; epoch < n_epochs; ++epoch) decode_all();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("{\"n\": %zu, \"seconds\": %f}\n", images.size() * n_epochs, seconds);
}
