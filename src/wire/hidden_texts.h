// What a document says to those who may look at an environment, but not be in it.
#pragma once

#include <string>

namespace skerry::wire {

// A document with a specification's fields (an environment, a creation request, a manifest) without what cloud_init
// says:
// {"hidden":true}, which no request takes for a wish. Its texts hold passwords and keys. The same bytes when there is
// none; "{}" for what is no JSON object.
std::string without_cloud_init(std::string document);

}  // namespace skerry::wire
