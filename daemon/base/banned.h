/* Functions that cannot say how much they wrote, or that read numbers loosely. Use buf.h, view.h and number.h.
 * Include this last. */
#pragma once
#ifndef __cplusplus
/* With clang the C library's checked versions are macros, and a macro cannot be poisoned. */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol atoll gets
#endif
