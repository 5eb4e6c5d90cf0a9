// Loading batches, as recordkit.reading.native calls it.
#include "module.hpp"

#include <algorithm>

#include "load.hpp"
#include "records.hpp"

namespace recordkit {
namespace {

Filter filter_of(const std::string& name) {
    if (name == "antialias") return Filter::antialias;
    if (name == "bilinear") return Filter::bilinear;
    throw py::value_error("no filter of that name: " + name);
}

Step step_of(const py::dict& given) {
    const auto kind = given["kind"].cast<std::string>();
    Step step{Step::Kind::resize, given["number"].cast<uint32_t>()};
    if (kind == "resize") step.kind = Step::Kind::resize;
    else if (kind == "center_crop") step.kind = Step::Kind::center_crop;
    else if (kind == "random_crop") step.kind = Step::Kind::random_crop;
    else if (kind == "resized_crop") step.kind = Step::Kind::resized_crop;
    else if (kind == "flip") step.kind = Step::Kind::flip;
    else throw py::value_error("no step of that kind: " + kind);
    const auto get = [&](const char* name, auto& into) {
        if (given.contains(name)) into = given[name].cast<std::decay_t<decltype(into)>>();
    };
    get("height", step.height), get("width", step.width);
    get("low", step.low), get("high", step.high);
    get("ratio_low", step.ratio_low), get("ratio_high", step.ratio_high);
    if (given.contains("filter")) step.filter = filter_of(given["filter"].cast<std::string>());
    return step;
}

// A writable array that is filled in place: this many items of this size.
template <typename T>
T* room_in(py::array& array, size_t n_bytes) {
    if (!(array.flags() & py::array::c_style) || static_cast<size_t>(array.nbytes()) != n_bytes)
        throw py::value_error("expected a contiguous array of " + std::to_string(n_bytes) + " bytes");
    return static_cast<T*>(array.mutable_data());  // refuses what is not writable
}

class BatchLoader {
  public:
    explicit BatchLoader(LoadPlan plan) : plan_(std::move(plan)) {}

    // Fill the places of a batch; return the numbers of those that the reference engine has to look at.
    py::array_t<int64_t> load(const py::list& files, const Column<uint32_t>& numbers, const Column<uint64_t>& offsets,
                              const Column<uint64_t>& ends, const Column<uint64_t>& positions, uint32_t epoch, py::array data,
                              py::array labels) const {
        const auto n = static_cast<size_t>(offsets.size());
        for (const auto size : {positions.size(), numbers.size(), ends.size()})
            if (static_cast<size_t>(size) != n) throw py::value_error("expected a number, an end and a position for each offset");
        std::vector<std::shared_ptr<const MappedFile>> mapped;
        for (const auto& file : files) mapped.push_back(mapped_file_of(file));
        for (size_t i = 0; i < n; ++i)
            if (numbers.data()[i] >= mapped.size()) throw py::value_error("no file of that number");
        const size_t n_labels = n ? static_cast<size_t>(labels.nbytes()) / 4 / n : 0;
        const Batch batch{mapped, numbers.data(), offsets.data(), ends.data(), positions.data(), epoch, n_labels, n,
                          room_in<uint8_t>(data, n * plan_.target.bytes()), room_in<uint8_t>(labels, n * n_labels * 4)};
        std::vector<int64_t> left;
        {
            const py::gil_scoped_release without_gil;
            left = fill(batch);
        }
        return column_of(std::move(left));
    }

  private:
    static constexpr size_t kAhead = 4;  // samples; to wait for one's memory takes as long as to convert a small one

    struct Batch {
        const std::vector<std::shared_ptr<const MappedFile>>& files;
        const uint32_t* numbers;
        const uint64_t* offsets;
        const uint64_t* ends;
        const uint64_t* positions;
        uint32_t epoch;
        size_t n_labels, n;
        uint8_t* data;
        uint8_t* labels;
    };

    std::vector<int64_t> fill(const Batch& batch) const {
        std::vector<Span> bytes;
        for (const auto& file : batch.files) {
            try {
                bytes.push_back(file->bytes());
            } catch (const std::runtime_error&) {
                bytes.push_back({});  // it has shrunk, which the reference engine says
            }
        }
        // The disk, if it has to be asked, answers while the first ones are decoded.
        for (size_t i = 0; i < batch.n; ++i)
            if (batch.ends[i] > batch.offsets[i] + kLongRecordBytes)
                batch.files[batch.numbers[i]]->will_need(batch.offsets[i], batch.ends[i]);
        std::vector<int64_t> left;
        for (size_t i = 0; i < batch.n; ++i) {
            if (i + kAhead < batch.n) fetch(bytes[batch.numbers[i + kAhead]], batch.offsets[i + kAhead]);
            try {
                fill_one(batch, i, bytes[batch.numbers[i]]);
            } catch (const Unsupported&) {
                left.push_back(static_cast<int64_t>(i));
            } catch (const FormatFault&) {
                left.push_back(static_cast<int64_t>(i));
            }
        }
        return left;
    }

    // Ask the memory for the beginning of a record, all of a small one.
    static void fetch(Span bytes, uint64_t offset) {
        constexpr uint64_t kLine = 64, kLines = 14;
        if (offset >= bytes.size) return;
        const uint64_t end = std::min(bytes.size, static_cast<size_t>(offset + kLines * kLine));
        for (uint64_t at = offset; at < end; at += kLine) __builtin_prefetch(bytes.data + at);
    }

    void fill_one(const Batch& batch, size_t i, Span bytes) const {
        const Extent extent = find_record(bytes, batch.offsets[i]);
        std::vector<uint8_t> joined;
        Span record = bytes.sub(extent.offset + kHeadSize, extent.length);
        if (!extent.whole) {
            joined.resize(extent.length);
            copy_record(bytes, extent, joined.data());
            record = {joined.data(), joined.size()};
        }
        const RecordHeader header = read_header(record);
        if (header.n_labels != batch.n_labels) throw Unsupported("another number of labels");
        std::memcpy(batch.labels + i * batch.n_labels * 4, header.labels, batch.n_labels * 4);
        load_image(header.payload, plan_, batch.epoch, batch.positions[i], batch.data + i * plan_.target.bytes());
    }

    LoadPlan plan_;
};

BatchLoader make_loader(const py::list& steps, int channels, bool scale_in_dct, uint64_t seed, const std::string& dtype,
                        bool planar, uint32_t height, uint32_t width, const Column<float>& mean, const Column<float>& factor) {
    LoadPlan plan;
    for (const auto& step : steps) plan.steps.push_back(step_of(py::reinterpret_borrow<py::dict>(step)));
    plan.channels = channels;
    plan.scale_in_dct = scale_in_dct;
    plan.seed = seed;
    Target& target = plan.target;
    target.type = dtype == "uint8" ? Type::uint8 : dtype == "float16" ? Type::float16 : Type::float32;
    target.planar = planar;
    target.height = height;
    target.width = width;
    target.channels = static_cast<uint32_t>(channels);
    if ((channels != 1 && channels != 3 && channels != 4) || mean.size() != channels || factor.size() != channels)
        throw py::value_error("expected 1, 3 or 4 channels, and a mean and a factor for each");
    check_size(width, height);
    std::copy_n(mean.data(), channels, target.mean);
    std::copy_n(factor.data(), channels, target.factor);
    return BatchLoader(std::move(plan));
}

}  // namespace

void bind_loading(py::module_& module) {
    py::class_<BatchLoader>(module, "BatchLoader")
        .def(py::init(&make_loader), py::kw_only(), py::arg("steps"), py::arg("channels"), py::arg("scale_in_dct"),
             py::arg("seed"), py::arg("dtype"), py::arg("planar"), py::arg("height"), py::arg("width"), py::arg("mean"),
             py::arg("factor"))
        .def("load", &BatchLoader::load, py::arg("files"), py::arg("numbers"), py::arg("offsets"), py::arg("ends"), py::arg("positions"),
             py::arg("epoch"), py::arg("data"), py::arg("labels"));
}

}  // namespace recordkit
