// Loading batches, as recordkit.loading.native calls it.
#include "module.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <map>

#include "load.hpp"
#include "records.hpp"

namespace recordkit {
namespace {

Filter filter_of(const std::string& name) {
    if (name == "antialias") return Filter::antialias;
    if (name == "bilinear") return Filter::bilinear;
    throw py::value_error("no filter of that name: " + name);
}

// A range where the step draws from it, else `fixed`.
Range range_of(const py::dict& given, const char* name, double fixed) {
    if (!given.contains(name)) return {fixed, fixed, false};
    const auto [low, high] = given[name].cast<std::pair<double, double>>();
    return {low, high, true};
}

Step::Kind kind_of_step(const std::string& name) {
    using Kind = Step::Kind;
    static const std::map<std::string, Kind> kinds{
        {"resize", Kind::resize},
        {"center_crop", Kind::center_crop},
        {"random_crop", Kind::random_crop},
        {"resized_crop", Kind::resized_crop},
        {"size_crop", Kind::size_crop},
        {"center_size_crop", Kind::center_size_crop},
        {"flip", Kind::flip},
        {"pad", Kind::pad},
        {"warp", Kind::warp},
    };
    const auto found = kinds.find(name);
    if (found == kinds.end()) throw py::value_error("no step of that kind: " + name);
    return found->second;
}

Step step_of(const py::dict& given) {
    Step step{kind_of_step(given["kind"].cast<std::string>()), given["number"].cast<uint32_t>()};
    const auto get = [&](const char* name, auto& into) {
        if (given.contains(name)) into = given[name].cast<std::decay_t<decltype(into)>>();
    };
    get("height", step.height), get("width", step.width);
    get("low", step.low), get("high", step.high);
    get("ratio_low", step.ratio_low), get("ratio_high", step.ratio_high);
    get("side_low", step.side_low), get("side_high", step.side_high);
    get("margin", step.margin), get("fill", step.fill), get("angles", step.angles);
    step.shear = range_of(given, "shear", 0);
    step.angle = range_of(given, "angle", 0);
    step.scale = range_of(given, "scale", 1);
    step.aspect = range_of(given, "aspect", 1);
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

// An array of the image's pixels, which it owns.
py::array_t<uint8_t> array_of(Image&& image) {
    auto* const owner = new Image(std::move(image));
    const py::capsule base(owner, [](void* it) { delete static_cast<Image*>(it); });
    const std::vector<py::ssize_t> shape{owner->height, owner->width, owner->channels};
    return py::array_t<uint8_t>(shape, owner->pixels.data(), base);
}

// Records, as columns: the number of its file, where it begins and ends there, its position in the epoch.
struct Records {
    std::vector<std::shared_ptr<const MappedFile>> files;
    Column<uint32_t> numbers;
    Column<uint64_t> offsets, ends, positions;
    uint32_t epoch;

    Records(const py::list& given, Column<uint32_t> n, Column<uint64_t> o, Column<uint64_t> e, Column<uint64_t> p,
            uint32_t of_epoch)
        : numbers(std::move(n)), offsets(std::move(o)), ends(std::move(e)), positions(std::move(p)), epoch(of_epoch) {
        for (const auto size : {positions.size(), numbers.size(), ends.size()})
            if (size != offsets.size())
                throw py::value_error("expected a number, an end and a position for each offset");
        for (const auto& file : given) files.push_back(mapped_file_of(file));
        for (size_t i = 0; i < size(); ++i)
            if (numbers.data()[i] >= files.size()) throw py::value_error("no file of that number");
    }
    size_t size() const { return static_cast<size_t>(offsets.size()); }
};

class BatchLoader {
  public:
    explicit BatchLoader(LoadPlan plan) : plan_(std::move(plan)) {}

    // Fill the places of a batch; return the numbers of those that the reference engine has to look at.
    py::array_t<int64_t> load(const Records& records, py::array data, py::array labels) const {
        const Labels room(labels, records.size());
        auto* const places = room_in<uint8_t>(data, records.size() * plan_.target.bytes());
        return each(records, room, [&](size_t i, Span payload, uint64_t position) {
            load_image(payload, plan_, records.epoch, position, places + i * plan_.target.bytes());
        });
    }

    // Return images, each of its own size, for other steps; None for those that the reference engine has to look at.
    py::list images(const Records& records, py::array labels) const {
        std::vector<Image> made(records.size());
        each(records, Labels(labels, records.size()), [&](size_t i, Span payload, uint64_t position) {
            made[i] = make_image(payload, plan_, records.epoch, position);
        });
        py::list images;
        for (Image& image : made) {
            if (image.pixels.empty()) images.append(py::none());
            else images.append(array_of(std::move(image)));
        }
        return images;
    }

  private:
    static constexpr size_t kAhead = 4;  // samples; to wait for one's memory takes as long as to convert a small one

    struct Labels {
        size_t n;  // of a sample
        uint8_t* places;

        Labels(py::array& labels, size_t n_samples)
            : n(n_samples ? static_cast<size_t>(labels.nbytes()) / 4 / n_samples : 0),
              places(room_in<uint8_t>(labels, n_samples * n * 4)) {}
    };

    // Copy the labels of every record and do something with its image; return the numbers of those that it was not done to.
    template <typename Act>
    py::array_t<int64_t> each(const Records& records, const Labels& labels, const Act& act) const {
        const auto* numbers = records.numbers.data();
        const auto *offsets = records.offsets.data(), *ends = records.ends.data(),
                   *positions = records.positions.data();
        const size_t n = records.size();
        std::vector<int64_t> left;
        {
            const py::gil_scoped_release without_gil;
            std::vector<Span> bytes;
            for (const auto& file : records.files) {
                try {
                    bytes.push_back(file->bytes());
                } catch (const std::runtime_error&) {
                    bytes.push_back({});  // it has shrunk, which the reference engine says
                }
            }
            // The disk, if it has to be asked, answers while the first ones are decoded.
            for (size_t i = 0; i < n; ++i)
                if (ends[i] > offsets[i] + kLongRecordBytes) records.files[numbers[i]]->will_need(offsets[i], ends[i]);
            for (size_t i = 0; i < n; ++i) {
                if (i + kAhead < n) fetch(bytes[numbers[i + kAhead]], offsets[i + kAhead]);
                try {
                    with_payload(bytes[numbers[i]], offsets[i], labels, i,
                                 [&](Span payload) { act(i, payload, positions[i]); });
                } catch (const Unsupported&) {
                    left.push_back(static_cast<int64_t>(i));
                } catch (const FormatFault&) {
                    left.push_back(static_cast<int64_t>(i));
                }
            }
        }
        return column_of(std::move(left));
    }

    // Ask the memory for the beginning of a record, all of a small one.
    static void fetch(Span bytes, uint64_t offset) {
        constexpr uint64_t kLine = 64, kLines = 14;
        if (offset >= bytes.size) return;
        const uint64_t end = std::min(bytes.size, static_cast<size_t>(offset + kLines * kLine));
        for (uint64_t at = offset; at < end; at += kLine) __builtin_prefetch(bytes.data + at);
    }

    // Copy the labels of the record at an offset to the place of sample `i`; `act` has its image while it runs.
    template <typename Act>
    static void with_payload(Span bytes, uint64_t offset, const Labels& labels, size_t i, const Act& act) {
        const Extent extent = find_record(bytes, offset);
        std::vector<uint8_t> joined;
        Span record = bytes.sub(extent.offset + kHeadSize, extent.length);
        if (!extent.whole) {
            joined.resize(extent.length);
            copy_record(bytes, extent, joined.data());
            record = {joined.data(), joined.size()};
        }
        const RecordHeader header = read_header(record);
        if (header.n_labels != labels.n) throw Unsupported("another number of labels");
        std::memcpy(labels.places + i * labels.n * 4, header.labels, labels.n * 4);
        act(header.payload);
    }

    LoadPlan plan_;
};

BatchLoader make_loader(const py::list& steps, int channels, bool scale_in_dct, uint64_t seed, const std::string& dtype,
                        bool planar, uint32_t height, uint32_t width, const Column<float>& mean,
                        const Column<float>& factor) {
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
    py::class_<Records>(module, "Records")
        .def(py::init<const py::list&, Column<uint32_t>, Column<uint64_t>, Column<uint64_t>, Column<uint64_t>,
                      uint32_t>(),
             py::arg("files"), py::arg("numbers"), py::arg("offsets"), py::arg("ends"), py::arg("positions"),
             py::arg("epoch"));
    py::class_<BatchLoader>(module, "BatchLoader")
        .def(py::init(&make_loader), py::kw_only(), py::arg("steps"), py::arg("channels"), py::arg("scale_in_dct"),
             py::arg("seed"), py::arg("dtype"), py::arg("planar"), py::arg("height"), py::arg("width"), py::arg("mean"),
             py::arg("factor"))
        .def("load", &BatchLoader::load, py::arg("records"), py::arg("data"), py::arg("labels"))
        .def("images", &BatchLoader::images, py::arg("records"), py::arg("labels"));
}

}  // namespace recordkit
