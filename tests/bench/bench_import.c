/* Files through import_run into a new shop, twice (the second time changes nothing):
 * bench_import [FILE…, default UCI Online Retail of the shared data]. Files go to $TMPDIR or /tmp.
 */
#include "base/clock.h"
#include "service/importer.h"

#include "support/tempdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int import_once(struct shop *shop, const char *file, const char *name)
{
    static const struct import_request request;
    struct error err = ERROR_INIT;
    struct progress progress;
    struct ingest_report report;
    struct import_params params = {.request = &request, .path = file, .progress = &progress};
    progress_init(&progress);
    ingest_report_init(&report);
    double cpu_s = clock_cpu_s();
    uint64_t start_ns = clock_mono_ns();
    int rc = import_run(shop, &params, &report, &err);
    double seconds = (double)(clock_mono_ns() - start_ns) / 1e9;
    const struct tally *orders = &report.counts.orders, *lines = &report.counts.lines;
    if (rc != 0)
        fprintf(stderr, "%s\n", err.text);
    printf("%s: %.2f s, %.2f CPU s, %llu orders, %llu accepted, %llu duplicate, peak %.0f MiB\n",
           name, seconds, clock_cpu_s() - cpu_s, (unsigned long long)orders->read,
           (unsigned long long)orders->accepted, (unsigned long long)orders->duplicate,
           (double)clock_peak_rss() / 1048576);
    printf("result import.%s.orders_per_s %.0f orders/s\n"
           "result import.%s.lines_per_s %.0f lines/s\n",
           name, (double)orders->read / seconds, name, (double)lines->read / seconds);
    ingest_report_deinit(&report);
    return rc;
}

static int import_file(const char *file)
{
    struct error err = ERROR_INIT;
    struct settings settings;
    struct tempdir dir;
    if (access(file, R_OK) != 0) {
        printf("skipped: no %s\n", file);
        return 0;
    }
    tempdir_open(&dir);
    settings_default(&settings);
    snprintf(settings.data, sizeof settings.data, "%s/shop", dir.path);
    struct shop *shop = shop_open(&settings, SHOP_COMMAND, &err);
    int rc = shop ? import_once(shop, file, "new") : 1;
    if (!shop)
        fprintf(stderr, "%s\n", err.text);
    if (rc == 0)
        rc = import_once(shop, file, "again");
    shop_close(shop);
    tempdir_close(&dir);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = argc > 1 ? 0 : import_file("../shared/data/online-retail/online_retail.csv.gz");
    for (int i = 1; i < argc && rc == 0; i++)
        rc = import_file(argv[i]);
    return rc != 0;
}
