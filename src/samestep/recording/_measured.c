/* Digests and norms of arrays, in one pass over their memory.
 *
 * The digest is XXH3's of 128 bits, by the functions of xxhash's own extension, which choose their instructions by the
 * processor; bind() is told where they are. Holds the interpreter's lock: the state of a long digest is shared. Where
 * PyTorch's tensors lie is asked of PyTorch, by DLPack's exchange of pointers, which takes a tenth of making an array.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>

#define CHUNK 16384 /* bytes that stay in a processor's nearest cache between digest and norm */
#define LANES 64    /* sums side by side, for the vector units */
#define SIZE 16     /* bytes of a digest */

typedef struct { /* XXH128_hash_t */
    uint64_t low, high;
} Hash;

static struct {
    Hash (*whole)(const void *, size_t);
    int (*reset)(void *);
    int (*update)(void *, const void *, size_t);
    Hash (*digest)(const void *);
    void *state;
} xxh3;

/* As in dlpack.h of DLPack 1. */
#define HOST 1  /* kDLCPU */
#define FLOAT 2 /* kDLFloat */
#define MAJOR 1

typedef struct { /* DLTensor */
    void *data;
    struct {
        int32_t type, number;
    } device;
    int32_t dimensions;
    struct {
        uint8_t code, bits;
        uint16_t lanes;
    } dtype;
    int64_t *shape, *strides;
    uint64_t offset;
} Tensor;

typedef struct { /* DLPackExchangeAPI */
    uint32_t major, minor;
    void *previous, *allocator, *managed_from_object, *managed_to_object;
    int (*from_object)(void *, Tensor *);
} Exchange;

static struct {
    PyObject *tensor, *parameter, *to_array;
    const Exchange *exchange;
} torch;

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

/* In double: the few that fill no lanes, and all where a float overflows and its norm does not. */
static double wide_squares(const float *numbers, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)numbers[i] * numbers[i];
    return sum;
}

FOR_EACH_PROCESSOR static double squares_of_floats(const float *numbers, size_t count)
{
    float lanes[LANES] = {0};
    double sum = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] += numbers[i + lane] * numbers[i + lane];
    for (int lane = 0; lane < LANES; lane++)
        sum += lanes[lane];
    return sum + wide_squares(numbers + i, count - i);
}

static double squares(const void *data, size_t bytes, char format)
{
    double sum = 0;
    if (format == 'f')
        return squares_of_floats(data, bytes / sizeof(float));
    for (size_t i = 0; i < bytes / sizeof(double); i++)
        sum += ((const double *)data)[i] * ((const double *)data)[i];
    return sum;
}

static Hash digest_and_squares(const char *data, size_t bytes, char format, double *sum)
{
    *sum = 0;
    if (bytes <= CHUNK) {
        if (format)
            *sum = squares(data, bytes, format);
        return xxh3.whole(data, bytes);
    }
    xxh3.reset(xxh3.state);
    for (size_t done = 0; done < bytes; done += CHUNK) {
        size_t size = bytes - done < CHUNK ? bytes - done : CHUNK;
        xxh3.update(xxh3.state, data + done, size);
        if (format)
            *sum += squares(data + done, size, format);
    }
    return xxh3.digest(xxh3.state);
}

static void put_big_endian(unsigned char *place, uint64_t word)
{
    for (int byte = 0; byte < 8; byte++)
        place[byte] = (unsigned char)(word >> (56 - 8 * byte));
}

static void measure_memory(const void *data, size_t bytes, char format, unsigned char *digest, double *norm)
{
    double sum;
    Hash hash = digest_and_squares(data, bytes, format, &sum);
    if (format == 'f' && !(sum < INFINITY))
        sum = wide_squares(data, bytes / sizeof(float));
    put_big_endian(digest, hash.high);
    put_big_endian(digest + 8, hash.low);
    *norm = format ? sqrt(sum) : NAN;
}

static int measure_buffer(PyObject *array, unsigned char *digest, double *norm)
{
    Py_buffer view;
    if (PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0)
        return -1;
    char format = view.format && view.format[0] && !view.format[1] ? view.format[0] : 0;
    measure_memory(view.buf, (size_t)view.len, format == 'f' || format == 'd' ? format : 0, digest, norm);
    PyBuffer_Release(&view);
    return 0;
}

/* Numbers of a float32 or float64 tensor in the host's memory, in C order; -1 of others. */
static int64_t count_of_simple(const Tensor *tensor)
{
    int64_t count = 1;
    if (tensor->device.type != HOST || tensor->dtype.code != FLOAT || tensor->dtype.lanes != 1)
        return -1;
    if (tensor->dtype.bits != 32 && tensor->dtype.bits != 64)
        return -1;
    for (int axis = tensor->dimensions - 1; axis >= 0; axis--) {
        if (tensor->strides && tensor->shape[axis] != 1 && tensor->strides[axis] != count)
            return -1;
        count *= tensor->shape[axis];
    }
    return tensor->data ? count : -1;
}

static int measure_tensor(PyObject *object, unsigned char *digest, double *norm)
{
    Tensor tensor;
    int64_t count = -1;
    if (torch.exchange->from_object(object, &tensor) == 0)
        count = count_of_simple(&tensor);
    PyErr_Clear();
    if (count < 0) { /* sparse, scattered, empty, of another type */
        PyObject *array = PyObject_CallOneArg(torch.to_array, object);
        int failed = !array || measure_buffer(array, digest, norm) < 0;
        Py_XDECREF(array);
        return failed ? -1 : 0;
    }
    const char *data = (const char *)tensor.data + tensor.offset;
    measure_memory(data, (size_t)count * tensor.dtype.bits / 8, tensor.dtype.bits == 32 ? 'f' : 'd', digest, norm);
    return 0;
}

static int measure_one(PyObject *array, unsigned char *digest, double *norm)
{
    *norm = NAN;
    memset(digest, 0, SIZE);
    if (array == Py_None)
        return 0;
    PyObject *type = (PyObject *)Py_TYPE(array);
    if (torch.exchange && (type == torch.tensor || type == torch.parameter))
        return measure_tensor(array, digest, norm);
    return measure_buffer(array, digest, norm);
}

static PyObject *measure(PyObject *module, PyObject *arrays)
{
    PyObject *digests = NULL, *norms = NULL, *items = PySequence_Fast(arrays, "a sequence of arrays is needed");
    if (!items)
        return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(items);
    digests = PyBytes_FromStringAndSize(NULL, count * SIZE);
    norms = PyList_New(count);
    for (Py_ssize_t i = 0; digests && norms && i < count; i++) {
        double norm;
        unsigned char *place = (unsigned char *)PyBytes_AS_STRING(digests) + i * SIZE;
        PyObject *number = NULL;
        if (measure_one(PySequence_Fast_GET_ITEM(items, i), place, &norm) == 0)
            number = PyFloat_FromDouble(norm);
        if (!number)
            Py_CLEAR(norms);
        else
            PyList_SET_ITEM(norms, i, number);
    }
    Py_DECREF(items);
    PyObject *both = digests && norms ? PyTuple_Pack(2, digests, norms) : NULL;
    Py_XDECREF(digests);
    Py_XDECREF(norms);
    return both;
}

static PyObject *bind(PyObject *module, PyObject *places)
{
    unsigned long long whole, reset, update, digest, state;
    if (!PyArg_ParseTuple(places, "KKKKK", &whole, &reset, &update, &digest, &state))
        return NULL;
    xxh3.whole = (Hash(*)(const void *, size_t))(uintptr_t)whole;
    xxh3.reset = (int (*)(void *))(uintptr_t)reset;
    xxh3.update = (int (*)(void *, const void *, size_t))(uintptr_t)update;
    xxh3.digest = (Hash(*)(const void *))(uintptr_t)digest;
    xxh3.state = (void *)(uintptr_t)state;
    Py_RETURN_NONE;
}

static PyObject *bind_torch(PyObject *module, PyObject *given)
{
    PyObject *tensor, *parameter, *capsule, *to_array;
    if (!PyArg_ParseTuple(given, "OOOO", &tensor, &parameter, &capsule, &to_array))
        return NULL;
    const Exchange *exchange = PyCapsule_GetPointer(capsule, "dlpack_exchange_api");
    if (!exchange)
        return NULL;
    if (exchange->major != MAJOR || !exchange->from_object)
        Py_RETURN_FALSE;
    torch.tensor = Py_NewRef(tensor);
    torch.parameter = Py_NewRef(parameter);
    torch.to_array = Py_NewRef(to_array);
    torch.exchange = exchange;
    Py_RETURN_TRUE;
}

static PyMethodDef methods[] = {
    {"bind_torch", bind_torch, METH_VARARGS,
     "Be told the types of PyTorch's tensors, their DLPack exchange, and what makes an array of one; whether it is known."},
    {"bind", bind, METH_VARARGS, "Be told the addresses of XXH3_128bits, its reset, update and digest, and of a state."},
    {"measure", measure, METH_O,
     "(digests of 16 bytes, norms) of a sequence of arrays in C order, tensors of PyTorch, or None; norms of float32 and float64."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_measured", NULL, -1, methods};

PyMODINIT_FUNC PyInit__measured(void)
{
    return PyModule_Create(&definition);
}
