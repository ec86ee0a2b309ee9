/* Runs a fuzz target over files and folders of inputs: the corpora in the ordinary test run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long runs;

static int replay(const char *path) {
    struct stat st;
    if (stat(path, &st) < 0)
        return perror(path), 1;
    if (S_ISDIR(st.st_mode)) {
        DIR *dir = opendir(path);
        if (!dir)
            return perror(path), 1;
        int r = 0;
        for (struct dirent *entry; (entry = readdir(dir));) {
            char below[4096];
            if (entry->d_name[0] == '.')
                continue;
            if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) < (int)sizeof below)
                r |= replay(below);
        }
        closedir(dir);
        return r;
    }
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc((size_t)st.st_size + 1);
    if (!file || !data)
        return perror(path), 1;
    size_t size = fread(data, 1, (size_t)st.st_size, file);
    fclose(file);
    uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees the first byte too many */
    if (!exact)
        return perror(path), 1;
    memcpy(exact, data, size);
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    runs++;
    return 0;
}

int main(int argc, char **argv) {
    int r = 0;
    for (int i = 1; i < argc; i++)
        r |= replay(argv[i]);
    printf("%lu inputs\n", runs);
    return r || runs == 0;
}
