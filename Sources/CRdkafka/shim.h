#include <librdkafka/rdkafka.h>
// Tests only: librdkafka's in-process cluster.
#include <librdkafka/rdkafka_mock.h>
// The module Glibc leaves it out; queues wake their reader through one.
#include <sys/eventfd.h>
