# How every folder of src/ becomes a target. The arrows between folders are the ones of docs/ARCHITECTURE.md;
# tools/check-layers holds the includes to them.

add_library(skerry_options INTERFACE)
target_compile_options(skerry_options INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow $<$<CXX_COMPILER_ID:GNU>:-Werror>
                       -fno-strict-aliasing -fstack-protector-strong)
# g++ 12 instruments a coroutine's frame so that the allocation of Boost.Asio (aligned_alloc behind operator new) seems
# not to be its operator delete's: a warning of the sanitizers' builds alone.
if(CMAKE_CXX_FLAGS MATCHES "fsanitize")
  target_compile_options(skerry_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
endif()
target_include_directories(skerry_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(skerry_options INTERFACE SKERRY_VERSION="${PROJECT_VERSION}" _GNU_SOURCE)

# skerry_library(NAME folder-library-name DEPS a b ...)
# All *.cc of the folder except *_test.cc and *_main.cc; subfolders only when listed as targets of their own.
function(skerry_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  list(FILTER sources EXCLUDE REGEX "_(test|main)\\.cc$")
  add_library(skerry_${name} STATIC ${sources})
  target_link_libraries(skerry_${name} PUBLIC skerry_options ${ARG_LINK})
  foreach(dep ${ARG_DEPS})
    target_link_libraries(skerry_${name} PUBLIC skerry_${dep})
  endforeach()
endfunction()

# skerry_unit_tests(NAME [LINK libs]): all *_test.cc of the folder as one program, its cases found by ctest.
function(skerry_unit_tests name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *_test.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name}_test ${sources})
  target_link_libraries(${name}_test PRIVATE skerry_${name} GTest::gtest GTest::gmock GTest::gtest_main ${ARG_LINK})
  gtest_discover_tests(${name}_test TEST_PREFIX ${name}. NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

# skerry_program(NAME main.cc [STATIC | LEAN] LIBS ...)
# LEAN: a dynamic program that holds what it uses of libstdc++ and libarchive itself. A daemon is resident for good: of these two shared
# libraries and what they need, 2 MiB would be.
function(skerry_program name main)
  cmake_parse_arguments(ARG "STATIC;LEAN" "" "LIBS" ${ARGN})
  add_executable(${name} ${main})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  # Sanitizer runtimes cannot be linked statically; those builds only run unit tests.
  if((ARG_STATIC OR ARG_LEAN) AND NOT CMAKE_CXX_FLAGS MATCHES "fsanitize")
    set_target_properties(${name} PROPERTIES SKERRY_LEAN ON)
    target_link_options(${name} PRIVATE $<IF:$<BOOL:${ARG_STATIC}>,-static,-static-libstdc++;-static-libgcc> -Wl,--gc-sections)
    target_compile_options(${name} PRIVATE -ffunction-sections -fdata-sections)
  endif()
endfunction()
